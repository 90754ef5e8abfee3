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
