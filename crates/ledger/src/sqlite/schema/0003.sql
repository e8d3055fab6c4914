-- Sums of requests, made to be added up: all cells of one bucket that were written together are one value. `seconds` is
-- the width of the bucket that begins at `at_s`. Cubes: 3 by model; 0 by model, pool, replica and endpoint; 1 by key and
-- model; 2 by user and model; 4 by tag and model. Readers add up all sheets of a bucket. `requests` is their sum; `cells`
-- is a canonical encoding: equal sums, equal bytes.
CREATE TABLE sheet (
    seconds  INTEGER NOT NULL,
    cube     INTEGER NOT NULL,
    at_s     INTEGER NOT NULL,
    instance INTEGER NOT NULL,
    batch    INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    cells    BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX sheet_bucket ON sheet (seconds, cube, at_s, instance, batch);

-- The cells of schema 1 are dropped. Requests that are stored already are in no sheet, so every tier begins with the
-- first of its buckets after them; until then, questions are answered from the rows.
DROP TABLE rollup;
DELETE FROM tier WHERE seconds > 0;
INSERT INTO tier (seconds, cube, kept_from_s, folded_until_s)
WITH newest (at_s) AS (SELECT (max(id) >> 21) / 1000 FROM request),
     width (seconds) AS (VALUES (60), (600), (3600), (21600), (86400), (432000), (2592000)),
     family (cube) AS (VALUES (0), (1), (2), (3), (4))
SELECT seconds, cube, (at_s / seconds + 1) * seconds, (at_s / seconds + 1) * seconds
FROM newest, width, family
WHERE at_s IS NOT NULL;
