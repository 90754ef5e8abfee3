-- +goose NO TRANSACTION
-- +goose Up

-- What services/internal/erase and services/internal/retention are removing just now. Removals name people and records by
-- this table and never in their own text, which ClickHouse keeps in its logs and its list of mutations.
CREATE TABLE IF NOT EXISTS prevention.removing
(
    run  UUID                              COMMENT 'of the command or the look that removes',
    kind Enum8('person' = 1, 'record' = 2) COMMENT 'what id is',
    id   UUID,
    time DateTime64(6, 'UTC')              COMMENT 'of a record: of the version that goes, and no other',
    precedence UInt64                      COMMENT 'likewise',
    at   DateTime('UTC') DEFAULT now()
)
ENGINE = MergeTree
PARTITION BY run
ORDER BY (run, kind, id)
TTL at + INTERVAL 1 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, old_parts_lifetime = 1
COMMENT 'Empty but while something is removed, or for a day where that was cut off. Person-level: never readable from Grafana.';

-- That people were erased, and nothing about whom. Rows are added and never changed.
CREATE TABLE IF NOT EXISTS prevention.erasures
(
    run          UUID,
    phase        Enum8('begun' = 1, 'done' = 2) COMMENT 'begun and never done: cut off, and to be run again',
    at           DateTime64(3, 'UTC'),
    reference    String COMMENT 'number of the request where it was decided',
    asked_by     String COMMENT 'who ran it',
    messages     UInt64 COMMENT 'removed from the stream of events',
    dead_letters UInt64 COMMENT 'removed',
    rows         UInt64 COMMENT 'removed from ClickHouse: versions of records, their places in the index, links of pseudonyms'
)
ENGINE = MergeTree
ORDER BY (at, run, phase)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- What was removed because its retention was over, by services/internal/retention. Rows are added and never changed.
CREATE TABLE IF NOT EXISTS prevention.retention_log
(
    run       UUID,
    phase     Enum8('begun' = 1, 'done' = 2) COMMENT 'begun and never done: cut off; the next look finishes it',
    at        DateTime64(3, 'UTC'),
    programme LowCardinality(String),
    season    LowCardinality(String) COMMENT 'rolling for rolling programmes',
    before    Date32 COMMENT 'of rolling programmes: checks up to this day were removed; otherwise the last day of the season',
    rows      UInt64 COMMENT 'versions of records'
)
ENGINE = MergeTree
ORDER BY (at, run, phase)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
