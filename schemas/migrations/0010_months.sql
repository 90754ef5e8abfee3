-- +goose NO TRANSACTION
-- +goose Up

-- The cells of a month in one row. A season counted afresh has millions of cells, and ClickHouse takes and merges them as a
-- tenth of the rows at a fraction of the cost. What a row says of a day holds as of everything read up to id; of several
-- rows that name a day, the one with the greatest id holds. services/internal/rollup says why several aggregators may write
-- here at once.
CREATE TABLE IF NOT EXISTS prevention.uptake_months
(
    programme LowCardinality(String),
    season    LowCardinality(String),
    place     LowCardinality(String) COMMENT 'local authority, empty = unknown',
    system    LowCardinality(String) COMMENT 'ICB, empty = unknown',
    level     Enum8('neighbourhood' = 1, 'pcn' = 2, 'ethnicity' = 3, 'place fifth' = 4, 'system fifth' = 5) COMMENT 'what code is',
    code      LowCardinality(String) COMMENT 'MSOA, PCN, ethnic category or local fifth (1 = most deprived), empty = unknown',
    quintile  UInt8   COMMENT '1 = most deprived fifth to 5 = least, 0 = unknown',
    month     Date32  COMMENT 'its first day',
    id        UInt128 COMMENT 'generation of reference data (20 bits), creation of the stream in milliseconds (44), sequence (64)',
    days      Nested
    (
        day       UInt8,  -- of the month; only days on which anybody is or was counted
        newly     UInt32, -- people newly covered on this day
        lapsed    UInt32, -- people whose cover ended the day before
        moved_in  UInt32, -- covered people who came from another cell with a renewal
        moved_out UInt32  -- covered people who left to another cell with a renewal
    )
)
ENGINE = MergeTree
PARTITION BY (programme, season)
ORDER BY (programme, season, place, system, level, code, quintile, month, id)
SETTINGS index_granularity = 64, min_compress_block_size = 4096, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Changes of the number of covered people, day by day, in the smallest cells that anybody may look at. Higher levels are sums of these.';

-- What is there moves over. It is made again where it was cut off: the old table may then be gone, and the same row twice
-- says the same. An aggregator of the release before that still runs is stopped by the constraint; what it had just written
-- and not yet published, the next audit would find.
CREATE TABLE IF NOT EXISTS prevention.uptake_cells
(
    programme String, season String, place String, system String, level Enum8('neighbourhood' = 1), code String, quintile UInt8,
    day Date32, id UInt128, newly UInt32, lapsed UInt32, moved_in UInt32, moved_out UInt32,
    CONSTRAINT moved_to_uptake_months CHECK 0
)
ENGINE = MergeTree ORDER BY tuple();

ALTER TABLE prevention.uptake_cells ADD CONSTRAINT IF NOT EXISTS moved_to_uptake_months CHECK 0;

INSERT INTO prevention.uptake_months (programme, season, place, system, level, code, quintile, month, id, days.day, days.newly, days.lapsed, days.moved_in, days.moved_out)
SELECT programme, season, place, system, level, code, quintile, toDate32(toStartOfMonth(day)), id,
       groupArray(toDayOfMonth(day)), groupArray(newly), groupArray(lapsed), groupArray(moved_in), groupArray(moved_out)
FROM prevention.uptake_cells
GROUP BY programme, season, place, system, level, code, quintile, toStartOfMonth(day), id
SETTINGS max_partitions_per_insert_block = 0;

-- The cells as published: the one place that knows how to read prevention.uptake_months.
CREATE OR REPLACE VIEW prevention.uptake_now AS
SELECT programme, season, toDate32(addDays(month, of_month - 1)) AS day, place, system, level, code, quintile,
       argMax(newly_on, id) AS newly, argMax(lapsed_on, id) AS lapsed,
       argMax(moved_in_on, id) AS moved_in, argMax(moved_out_on, id) AS moved_out
FROM
(
    SELECT programme, season, place, system, level, code, quintile, month, cells.id AS id, days.day, days.newly, days.lapsed,
           days.moved_in, days.moved_out
    FROM prevention.uptake_months AS cells
    INNER JOIN prevention.published_now AS published USING (programme, season, place)
    WHERE cells.id >= published.base AND cells.id <= published.id AND published.season != ''
)
ARRAY JOIN days.day AS of_month, days.newly AS newly_on, days.lapsed AS lapsed_on, days.moved_in AS moved_in_on,
           days.moved_out AS moved_out_on
GROUP BY programme, season, place, system, level, code, quintile, day
HAVING newly + lapsed + moved_in + moved_out > 0;

DROP TABLE IF EXISTS prevention.uptake_cells;
