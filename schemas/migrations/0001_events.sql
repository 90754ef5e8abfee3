-- +goose NO TRANSACTION
-- +goose Up

-- The small granules and compressed blocks of these tables are for the aggregator, which looks single people, records
-- and cells up.

-- Every version of every record that was accepted. Nothing here is a count: the newest version of a record decides
-- what it says, and services/internal/uptake what it counts for.
CREATE TABLE IF NOT EXISTS prevention.events
(
    programme  LowCardinality(String) COMMENT 'id from programmes.yaml',
    season     LowCardinality(String) COMMENT 'season of the day; the cohort for cohort programmes; rolling for rolling ones',
    person     UUID                   COMMENT 'pseudonym, 128 bits',
    record_id  UUID                   COMMENT 'hash of source and record',
    time       DateTime64(6, 'UTC')   COMMENT 'when this version of the record was made',
    precedence UInt64                 COMMENT 'orders versions of equal time: retraction, correction, first, then a hash of the content',
    stream     UInt64                 COMMENT 'creation time of the stream it came from, nanoseconds since 1970',
    sequence   UInt64                 COMMENT 'its sequence in that stream',
    status     Enum8('completed' = 1, 'not-done' = 2, 'entered-in-error' = 3),
    day        Date32                 COMMENT 'Europe/London day it was done',
    dose       UInt8                  COMMENT '1 to 9, 0 = not said',
    lsoa       LowCardinality(String) COMMENT 'LSOA (2011 or 2021) of the person when it was done, empty = unknown',
    ethnicity  LowCardinality(String) COMMENT 'NHS ethnic category code 2001, empty = not said',
    practice   LowCardinality(String) COMMENT 'ODS code of the registered practice, empty = not said',
    provider   LowCardinality(String) COMMENT 'ODS code of who did it, empty = not said',
    plus       Array(LowCardinality(String)) COMMENT 'PLUS groups',
    previous   UUID                   COMMENT 'the same person under the key before, zero = none',
    person_key LowCardinality(String) COMMENT 'id of the key that made the pseudonym',
    source     LowCardinality(String) COMMENT 'URI of the sending system',
    record     String                 COMMENT 'the record''s identity within source',
    received   DateTime64(3, 'UTC')   COMMENT 'when JetStream took it',
    earliest   UInt128 MATERIALIZED bitNot(bitShiftLeft(toUInt128(stream), 64) + sequence)
               COMMENT 'greatest for the first arrival: of equal versions that one is kept, so that what was known at a sequence never changes',
    INDEX arrival (stream, sequence) TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(earliest)
PARTITION BY (programme, season)
ORDER BY (programme, person, record_id, time, precedence)
SETTINGS index_granularity = 256, min_compress_block_size = 4096, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Accepted events, every version of every record. Person-level: never readable from Grafana.';

-- Which keys of prevention.events hold versions of a record: a record that was corrected to another person or
-- programme must stop counting where it was. An index, filled with the insert that fills prevention.events.
CREATE TABLE IF NOT EXISTS prevention.records
(
    record_id  UUID,
    programme  LowCardinality(String),
    person     UUID,
    time       DateTime64(6, 'UTC'),
    precedence UInt64,
    stream     UInt64,
    sequence   UInt64,
    earliest   UInt128 MATERIALIZED bitNot(bitShiftLeft(toUInt128(stream), 64) + sequence)
)
ENGINE = ReplacingMergeTree(earliest)
ORDER BY (record_id, programme, person, time, precedence)
SETTINGS index_granularity = 256, min_compress_block_size = 4096, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Where the versions of a record are kept. Person-level: never readable from Grafana.';

CREATE MATERIALIZED VIEW IF NOT EXISTS prevention.records_from_events TO prevention.records AS
SELECT record_id, programme, person, time, precedence, stream, sequence FROM prevention.events;

-- Pseudonyms that are one person (data.personPrevious), filled with the insert that fills prevention.events.
CREATE TABLE IF NOT EXISTS prevention.links
(
    person   UUID,
    previous UUID,
    stream   UInt64,
    sequence UInt64,
    earliest UInt128 MATERIALIZED bitNot(bitShiftLeft(toUInt128(stream), 64) + sequence)
)
ENGINE = ReplacingMergeTree(earliest)
ORDER BY (person, previous)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Two pseudonyms of one person, made during a key change. Person-level: never readable from Grafana.';

CREATE MATERIALIZED VIEW IF NOT EXISTS prevention.links_from_events TO prevention.links AS
SELECT person, previous, stream, sequence FROM prevention.events WHERE previous != toUUID('00000000-0000-0000-0000-000000000000');

-- What became of every message of the stream. Written after prevention.events and before the acknowledgement.
CREATE TABLE IF NOT EXISTS prevention.handled
(
    stream     UInt64 COMMENT 'creation time of the stream, nanoseconds since 1970',
    sequence   UInt64 CODEC(Delta, ZSTD),
    outcome    Enum8('stored' = 1, 'dead letter' = 2, 'lost' = 3) COMMENT 'lost: left the stream before anybody read it',
    handled_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD)
)
ENGINE = ReplacingMergeTree
ORDER BY (stream, sequence)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Messages that were stored or dead-lettered, by stream and sequence.';
