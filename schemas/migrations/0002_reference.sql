-- +goose NO TRANSACTION
-- +goose Up

-- Reference data come in loads. A load's rows are written first, under the number of their batch; then one insert here,
-- which is the commit, says what they replace. Rows whose batch is not listed here do not exist. Two loaders cannot
-- both make load 7: of two inserts with one deduplication token the second is dropped (services/internal/reference).
CREATE TABLE IF NOT EXISTS prevention.loads
(
    load       UInt32                 COMMENT 'grows by one with each load',
    batch      UInt64                 COMMENT 'number that the rows carry: milliseconds since 1970 (44 bits), chance (20)',
    kind       LowCardinality(String) COMMENT 'lookup, areas, names, practices, programmes, eligible, history, interventions, flags or repair',
    key        String                 COMMENT 'what is replaced, e.g. programme/season/valid_from for eligible',
    file       String                 COMMENT 'name of the file it came from, empty where it came from none',
    sha256     String                 COMMENT 'of the content, whatever the order of its rows: the same content again is no load',
    rows       UInt64,
    loaded_at  DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (kind, key, load)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

-- What is in force: the newest load of each kind and key.
CREATE VIEW IF NOT EXISTS prevention.loads_now AS
SELECT kind, key, max(loads.load) AS load, argMax(loads.batch, loads.load) AS batch,
       argMax(loads.sha256, loads.load) AS sha256, argMax(loads.rows, loads.load) AS rows
FROM prevention.loads AS loads GROUP BY kind, key;

-- The look-up files as they were loaded, one relation each, so that a later load of one of them is resolved with the others.
CREATE TABLE IF NOT EXISTS prevention.lookups
(
    batch    UInt64,
    relation LowCardinality(String) COMMENT 'e.g. lsoa21-ltla24; the key in prevention.loads',
    code     String                 COMMENT 'what is looked up',
    target   String                 COMMENT 'code of where it lies, empty for deprivation',
    rank     UInt32                 COMMENT 'IMD rank, 1 = most deprived, 0 where the relation is no deprivation',
    decile   UInt8                  COMMENT 'IMD decile, 1 = most deprived, 0 where the relation is no deprivation'
)
ENGINE = MergeTree
ORDER BY (batch, relation, code, target)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- What services/internal/area resolved from the look-ups in force.
CREATE TABLE IF NOT EXISTS prevention.areas
(
    batch         UInt64,
    lsoa          String                 COMMENT 'LSOA code of 2011 or 2021',
    neighbourhood LowCardinality(String) COMMENT 'MSOA, empty = unknown',
    place         LowCardinality(String) COMMENT 'local authority of 2024, empty = unknown',
    system        LowCardinality(String) COMMENT 'ICB of 2024, empty = unknown',
    region        LowCardinality(String) COMMENT 'region of 2024, empty = unknown',
    quintile_2019 UInt8                  COMMENT '1 = most deprived fifth by IMD 2019, 0 = unknown',
    quintile_2025 UInt8                  COMMENT '1 = most deprived fifth by IMD 2025, 0 = unknown',
    rank_2019     UInt32                 COMMENT 'IMD 2019 rank, 1 = most deprived, 0 = unknown',
    rank_2025     UInt32                 COMMENT 'IMD 2025 rank, 1 = most deprived, 0 = unknown'
)
ENGINE = MergeTree
ORDER BY (batch, lsoa)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS prevention.names
(
    batch    UInt64,
    level    LowCardinality(String) COMMENT 'neighbourhood, place, system, region or pcn',
    relation LowCardinality(String) COMMENT 'look-up that the names came with; level/relation is the key in prevention.loads',
    code     String,
    name     String
)
ENGINE = MergeTree
ORDER BY (batch, level, code)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS prevention.practices
(
    batch    UInt64,
    practice String COMMENT 'ODS code',
    pcn      LowCardinality(String) COMMENT 'ODS code of its primary care network'
)
ENGINE = MergeTree
ORDER BY (batch, practice)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS prevention.eligible
(
    batch      UInt64,
    programme  LowCardinality(String),
    season     LowCardinality(String) COMMENT 'season id; rolling for rolling programmes',
    valid_from Date32                 COMMENT 'first day these people are the denominator',
    lsoa       LowCardinality(String) COMMENT 'LSOA (2011 or 2021), empty = unknown',
    practice   LowCardinality(String) COMMENT 'ODS code, or empty in every row',
    ethnicity  LowCardinality(String) COMMENT 'NHS ethnic category code 2001, or empty in every row',
    eligible   UInt32                 COMMENT 'people'
)
ENGINE = MergeTree
ORDER BY (batch, programme, season, valid_from, lsoa)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS prevention.history
(
    batch     UInt64,
    programme LowCardinality(String),
    season    LowCardinality(String),
    geography LowCardinality(String),
    day       Date32,
    quintile  UInt8  COMMENT '1 = most deprived fifth to 5 = least, 0 = unknown',
    covered   UInt64 COMMENT 'people covered on that day',
    eligible  UInt64 COMMENT 'people eligible on that day'
)
ENGINE = MergeTree
ORDER BY (batch, programme, season, geography, day, quintile)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Published series: counts that others published, never mixed with ours.';

CREATE TABLE IF NOT EXISTS prevention.interventions
(
    batch     UInt64,
    programme LowCardinality(String) COMMENT 'the key in prevention.loads',
    geography LowCardinality(String),
    from_day  Date32,
    to_day    Date32 COMMENT 'last day; 2299-12-31 = no end known',
    label     String
)
ENGINE = MergeTree
ORDER BY (batch, programme, geography, from_day)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS prevention.flags
(
    batch    UInt64,
    code     LowCardinality(String) COMMENT 'code of the area that carries the flag',
    label    String                 COMMENT 'e.g. left behind; label, tab, source is the key in prevention.loads',
    source   String                 COMMENT 'who says so',
    from_day Date32,
    to_day   Date32 COMMENT 'last day; 2299-12-31 = no end known'
)
ENGINE = MergeTree
ORDER BY (batch, code, label)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
