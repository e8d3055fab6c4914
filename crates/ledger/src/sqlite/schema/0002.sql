-- What a request asked for, who asked, its tags, and why its replica was chosen. `tag_ids` is ",12,57,": numbers of `dim`
-- strings "name=value". `attempt_log` is "replica end microseconds;..." where an attempt failed.
ALTER TABLE request ADD COLUMN tools INTEGER;
ALTER TABLE request ADD COLUMN response_format INTEGER;
ALTER TABLE request ADD COLUMN images INTEGER;
ALTER TABLE request ADD COLUMN audios INTEGER;
ALTER TABLE request ADD COLUMN service_tier INTEGER;
ALTER TABLE request ADD COLUMN client_net TEXT;
ALTER TABLE request ADD COLUMN hash_key_id INTEGER;
ALTER TABLE request ADD COLUMN tag_ids TEXT;
ALTER TABLE request ADD COLUMN policy INTEGER;
ALTER TABLE request ADD COLUMN prefix_blocks INTEGER;
ALTER TABLE request ADD COLUMN matched_blocks INTEGER;
ALTER TABLE request ADD COLUMN predicted_cached_tokens INTEGER;
ALTER TABLE request ADD COLUMN attempt_log TEXT;
