-- Facts about the file itself: `batch` counts committed batches.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY
) STRICT;
INSERT INTO meta VALUES ('batch', 0);

-- Strings that repeat, by small number. Kinds: 0 model, 1 pool, 2 replica, 3 key, 4 user, 5 error type, 6 sdk.
CREATE TABLE dim (
    id   INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    name TEXT    NOT NULL,
    UNIQUE (kind, name)
) STRICT;

-- One row per request, clustered by time: id = start ms << 21 | instance << 16 | sequence. No other index.
-- A missing value is NULL, never 0.
CREATE TABLE request (
    id                          INTEGER PRIMARY KEY,
    rid                         BLOB NOT NULL,
    trace_id                    BLOB,
    endpoint                    INTEGER NOT NULL,
    dialect                     INTEGER NOT NULL,
    pool_id                     INTEGER,
    model_requested_id          INTEGER,
    model_id                    INTEGER,
    replica_id                  INTEGER,
    attempts                    INTEGER NOT NULL,
    stream                      INTEGER,
    choices                     INTEGER,
    max_tokens                  INTEGER,
    priority                    INTEGER,
    status                      INTEGER,
    outcome                     INTEGER NOT NULL,
    error_type_id               INTEGER,
    finish_reason               INTEGER,
    terminal                    INTEGER,
    ttfb_us                     INTEGER,
    ttft_us                     INTEGER,
    upstream_ttft_us            INTEGER,
    ttfo_us                     INTEGER,
    ttst_us                     INTEGER,
    generation_us               INTEGER,
    tpot_us                     INTEGER,
    itl_mean_us                 INTEGER,
    itl_max_us                  INTEGER,
    itl_count                   INTEGER NOT NULL,
    stalls                      INTEGER NOT NULL,
    e2e_us                      INTEGER NOT NULL,
    upload_us                   INTEGER,
    queue_us                    INTEGER,
    connect_us                  INTEGER,
    overhead_us                 INTEGER NOT NULL,
    client_stall_us             INTEGER,
    client_gone_us              INTEGER,
    gaps                        BLOB,
    prompt_tokens               INTEGER,
    completion_tokens           INTEGER,
    cached_tokens               INTEGER,
    cache_write_tokens          INTEGER,
    reasoning_tokens            INTEGER,
    audio_seconds               REAL,
    usage_source                INTEGER NOT NULL,
    completion_tokens_estimated INTEGER,
    token_events                INTEGER,
    arrivals                    INTEGER,
    engine_queue_us             INTEGER,
    engine_ttft_us              INTEGER,
    engine_tokens_per_second    REAL,
    spec_accept_rate            REAL,
    key_id                      INTEGER,
    user_id                     INTEGER,
    session                     TEXT,
    sdk_id                      INTEGER,
    sdk_retry                   INTEGER,
    request_bytes               INTEGER NOT NULL,
    response_bytes              INTEGER NOT NULL,
    good                        INTEGER,
    flags                       INTEGER NOT NULL
) STRICT;

-- One row per live proxy, overwritten once a second. `pulse` is JSON, `families` are protobuf MetricFamily messages.
CREATE TABLE pulse (
    instance TEXT PRIMARY KEY,
    at_ms    INTEGER NOT NULL,
    pulse    TEXT NOT NULL,
    families BLOB NOT NULL
) STRICT;

-- Sums of requests, made to be added up. `seconds` is the width of the bucket that begins at `at_s`. Three cubes:
-- 0 by model, pool, replica and endpoint; 1 by key and model; 2 by user and model. `name_id` is the key or the user.
-- An id of 0 means unknown, or not told apart in this cube. `cell` is a canonical encoding: equal sums, equal bytes.
CREATE TABLE rollup (
    seconds    INTEGER NOT NULL,
    cube       INTEGER NOT NULL,
    at_s       INTEGER NOT NULL,
    name_id    INTEGER NOT NULL,
    model_id   INTEGER NOT NULL,
    pool_id    INTEGER NOT NULL,
    replica_id INTEGER NOT NULL,
    endpoint   INTEGER NOT NULL,
    instance   INTEGER NOT NULL,
    requests   INTEGER NOT NULL,
    cell       BLOB NOT NULL,
    PRIMARY KEY (seconds, cube, at_s, name_id, model_id, pool_id, replica_id, endpoint, instance)
) STRICT, WITHOUT ROWID;

-- What each tier holds: everything that began in [kept_from_s, folded_until_s). Tier 0 are the rows of `request`.
CREATE TABLE tier (
    seconds        INTEGER NOT NULL,
    cube           INTEGER NOT NULL,
    kept_from_s    INTEGER NOT NULL DEFAULT 0,
    folded_until_s INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (seconds, cube)
) STRICT, WITHOUT ROWID;
