-- +goose NO TRANSACTION
-- +goose Up

-- Which request brought a message: the way from intake's log to a row and back. Plain text, which is quicker to insert than a
-- dictionary of values that hardly ever come again; the messages of a request follow each other, so it is small on disk.
ALTER TABLE prevention.handled
    ADD COLUMN IF NOT EXISTS request String DEFAULT '' COMMENT 'id of the request to intake that brought the message, empty = not known' CODEC(ZSTD(1));

-- What operators did with dead letters (go run ./services/deadletters): nobody but them removes any. Kept for good. A row comes
-- before the letter is removed, so of one that was cut off there may be two rows, or one of a letter that is still there.
CREATE TABLE IF NOT EXISTS prevention.dead_letter_log
(
    at            DateTime64(3, 'UTC') COMMENT 'when',
    action        Enum8('replayed' = 1, 'discarded' = 2) COMMENT 'replayed: its message was published again',
    operator      String COMMENT 'who, as they said or as their computer knows them',
    note          String COMMENT 'why, in their words',
    letter_stream UInt64 COMMENT 'creation time of the dead-letter stream, nanoseconds since 1970',
    letter        UInt64 COMMENT 'sequence of the dead letter in that stream',
    stream        UInt64 COMMENT 'creation time of the stream of the rejected message, as in prevention.handled',
    sequence      UInt64 COMMENT 'its sequence in that stream, as in prevention.handled',
    received      DateTime64(3, 'UTC') COMMENT 'when JetStream took the rejected message',
    reason        LowCardinality(String) COMMENT 'why it was rejected',
    field         LowCardinality(String) COMMENT 'field of the contract that the reason is about',
    sender        LowCardinality(String) COMMENT 'id of the sender, empty = not known',
    request       String COMMENT 'id of the request to intake that brought it, empty = not known',
    programme     LowCardinality(String) COMMENT 'of its subject, empty = not known',
    again         UInt64 COMMENT 'replayed: sequence in PREVENTION_EVENTS under which the message came in again, 0 for others'
)
ENGINE = MergeTree
ORDER BY (at, letter_stream, letter)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Dead letters that were replayed or discarded: who, when, why.';

-- What senders were told that was refused (stream PREVENTION_REJECTION): at the door, which leaves no other trace, and behind it.
-- The stream drops the oldest of a sender that has too many, so of a broken one there may be fewer rows than refusals.
CREATE TABLE IF NOT EXISTS prevention.rejections
(
    stream   UInt64 COMMENT 'creation time of the stream, nanoseconds since 1970',
    sequence UInt64 CODEC(Delta, ZSTD),
    at       DateTime64(3, 'UTC') COMMENT 'when it was refused',
    sender   LowCardinality(String) COMMENT 'id of the sender',
    door     LowCardinality(String) COMMENT 'events, fhir, csv, or collector for what was accepted at the door and became a dead letter',
    reason   LowCardinality(String),
    field    LowCardinality(String) COMMENT 'in the sender''s own terms, without the numbers of entries'
)
ENGINE = ReplacingMergeTree
ORDER BY (stream, sequence)
TTL toDateTime(at) + INTERVAL 90 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Items that were refused in the last 90 days. Of no person.';

CREATE VIEW IF NOT EXISTS reporting.rejections
(
    sender LowCardinality(String) COMMENT 'Id of the sender.',
    hour   DateTime('UTC') COMMENT 'Hour in which they were refused (UTC).',
    door   LowCardinality(String) COMMENT 'Where: events, fhir or csv at the door; collector for what was accepted there and became a dead letter, which is in dead_letters too.',
    reason LowCardinality(String) COMMENT 'Why they were refused: one of a closed list, as in the answer to the sender.',
    field  LowCardinality(String) COMMENT 'Where in the item, in the sender''s own terms.',
    items  UInt64 COMMENT 'Items that were refused, each once. Of a sender with very many in a short time only the newest 100,000 are sure to be counted.'
)
SQL SECURITY DEFINER AS
SELECT told.sender AS sender, toStartOfHour(told.at, 'UTC') AS hour, told.door AS door, told.reason AS reason, told.field AS field, count() AS items
FROM prevention.rejections AS told FINAL
GROUP BY told.sender, hour, told.door, told.reason, told.field
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Items that senders sent and were refused, by sender, hour, door, reason and field, for the last 90 days. Hours without any have no row.';
