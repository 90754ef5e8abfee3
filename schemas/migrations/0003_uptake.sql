-- +goose NO TRANSACTION
-- +goose Up

-- Changes of the number of covered people, day by day, in the smallest cells that anybody may look at. Higher levels
-- are sums of these. A row holds the cell's counts as of everything read up to id; services/internal/rollup says why
-- several aggregators may write here at once.
CREATE TABLE IF NOT EXISTS prevention.uptake_cells
(
    programme LowCardinality(String),
    season    LowCardinality(String),
    day       Date32,
    place     LowCardinality(String) COMMENT 'local authority, empty = unknown',
    system    LowCardinality(String) COMMENT 'ICB, empty = unknown',
    level     Enum8('neighbourhood' = 1, 'pcn' = 2, 'ethnicity' = 3, 'place fifth' = 4, 'system fifth' = 5) COMMENT 'what code is',
    code      LowCardinality(String) COMMENT 'MSOA, PCN, ethnic category or local fifth (1 = most deprived), empty = unknown',
    quintile  UInt8  COMMENT '1 = most deprived fifth to 5 = least, 0 = unknown',
    id        UInt128 COMMENT 'generation of reference data (20 bits), creation of the stream in milliseconds (44), sequence (64)',
    newly     UInt32 COMMENT 'people newly covered on this day',
    lapsed    UInt32 COMMENT 'people whose cover ended the day before',
    moved_in  UInt32 COMMENT 'covered people who came from another cell with a renewal',
    moved_out UInt32 COMMENT 'covered people who left to another cell with a renewal'
)
ENGINE = ReplacingMergeTree
PARTITION BY (programme, season)
ORDER BY (programme, season, place, system, level, code, quintile, day, id)
SETTINGS index_granularity = 256, min_compress_block_size = 4096, fsync_after_insert = 1, fsync_part_directory = 1;

-- Eligible people in the same cells, computed with the areas of the same generation.
CREATE TABLE IF NOT EXISTS prevention.eligible_cells
(
    programme  LowCardinality(String),
    season     LowCardinality(String),
    valid_from Date32,
    place      LowCardinality(String),
    system     LowCardinality(String),
    level      Enum8('neighbourhood' = 1, 'pcn' = 2, 'ethnicity' = 3, 'place fifth' = 4, 'system fifth' = 5),
    code       LowCardinality(String),
    quintile   UInt8,
    generation UInt32 COMMENT 'generation of reference data: the top 20 bits of the id in prevention.published',
    eligible   UInt32 COMMENT 'people eligible from valid_from to the day before the next valid_from of the season'
)
ENGINE = ReplacingMergeTree
PARTITION BY programme
ORDER BY (programme, generation, season, valid_from, place, system, level, code, quintile)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- One row in force per slice (programme, season, place): read its cells with base <= id <= this id, the greatest id of
-- each cell. The row with an empty season and place is the programme's own: everything up to its id is published.
CREATE TABLE IF NOT EXISTS prevention.published
(
    programme    LowCardinality(String),
    season       LowCardinality(String),
    place        LowCardinality(String),
    id           UInt128,
    base         UInt128 COMMENT 'id of the last full recompute: cells below it are of the past',
    published_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(id)
ORDER BY (programme, season, place)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE VIEW IF NOT EXISTS prevention.published_now AS
SELECT programme, season, place, max(rows.id) AS id, argMax(rows.base, rows.id) AS base
FROM prevention.published AS rows GROUP BY programme, season, place;

-- The cells as published: the one place that knows how to read prevention.uptake_cells.
CREATE VIEW IF NOT EXISTS prevention.uptake_now AS
SELECT programme, season, day, place, system, level, code, quintile,
       argMax(cells.newly, cells.id) AS newly, argMax(cells.lapsed, cells.id) AS lapsed,
       argMax(cells.moved_in, cells.id) AS moved_in, argMax(cells.moved_out, cells.id) AS moved_out
FROM prevention.uptake_cells AS cells
INNER JOIN prevention.published_now AS published USING (programme, season, place)
WHERE cells.id >= published.base AND cells.id <= published.id AND published.season != ''
GROUP BY programme, season, place, system, level, code, quintile, day
HAVING newly + lapsed + moved_in + moved_out > 0;

-- The eligible people that go with prevention.uptake_now.
CREATE VIEW IF NOT EXISTS prevention.eligible_now AS
SELECT programme, season, valid_from, place, system, level, code, quintile, sum(cells.eligible) AS eligible
FROM (SELECT * FROM prevention.eligible_cells FINAL) AS cells
INNER JOIN (SELECT programme, toUInt32(bitShiftRight(id, 108)) AS generation
            FROM prevention.published_now WHERE season = '' AND place = '') AS published
USING (programme, generation)
GROUP BY programme, season, valid_from, place, system, level, code, quintile;
