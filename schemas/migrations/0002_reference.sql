-- +goose NO TRANSACTION
-- +goose Up

-- Reference data come in loads. A load's rows are written first and its row here last: rows whose load is not listed
-- here do not exist. The newest load of a kind and key is the one in force.
CREATE TABLE IF NOT EXISTS prevention.loads
(
    load      UInt32                 COMMENT 'grows by one with each load',
    kind      LowCardinality(String) COMMENT 'areas, practices, programmes, eligible, history, interventions or flags',
    key       String                 COMMENT 'what this load replaces, e.g. programme/season/valid_from for eligible',
    file      String,
    sha256    String                 COMMENT 'of what was loaded for this key: the same content again is no load',
    rows      UInt64,
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (kind, key, load);

CREATE TABLE IF NOT EXISTS prevention.areas
(
    load          UInt32,
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
ORDER BY (load, lsoa);

CREATE TABLE IF NOT EXISTS prevention.geographies
(
    load   UInt32,
    level  LowCardinality(String) COMMENT 'neighbourhood, place, system, region or pcn',
    code   String,
    name   String
)
ENGINE = MergeTree
ORDER BY (load, level, code);

CREATE TABLE IF NOT EXISTS prevention.practices
(
    load     UInt32,
    practice String COMMENT 'ODS code',
    pcn      LowCardinality(String) COMMENT 'ODS code of its primary care network'
)
ENGINE = MergeTree
ORDER BY (load, practice);

CREATE TABLE IF NOT EXISTS prevention.eligible
(
    load       UInt32,
    programme  LowCardinality(String),
    season     LowCardinality(String) COMMENT 'season id; rolling for rolling programmes',
    valid_from Date32                 COMMENT 'first day these people are the denominator',
    lsoa       LowCardinality(String) COMMENT 'LSOA (2011 or 2021), empty = unknown',
    practice   LowCardinality(String) COMMENT 'ODS code, or empty in every row',
    ethnicity  LowCardinality(String) COMMENT 'NHS ethnic category code 2001, or empty in every row',
    eligible   UInt32                 COMMENT 'people'
)
ENGINE = MergeTree
ORDER BY (load, programme, season, valid_from, lsoa);

CREATE TABLE IF NOT EXISTS prevention.history
(
    load      UInt32,
    programme LowCardinality(String),
    season    LowCardinality(String),
    geography LowCardinality(String),
    day       Date32,
    quintile  UInt8  COMMENT '1 = most deprived fifth to 5 = least, 0 = unknown',
    covered   UInt64 COMMENT 'people covered on that day',
    eligible  UInt64 COMMENT 'people eligible on that day'
)
ENGINE = MergeTree
ORDER BY (load, programme, season, geography, day, quintile)
COMMENT 'Published series: counts that others published, never mixed with ours.';

CREATE TABLE IF NOT EXISTS prevention.interventions
(
    load      UInt32,
    programme LowCardinality(String),
    geography LowCardinality(String),
    from_day  Date32,
    to_day    Date32,
    label     String
)
ENGINE = MergeTree
ORDER BY (load, programme, geography, from_day);

CREATE TABLE IF NOT EXISTS prevention.flags
(
    load     UInt32,
    code     LowCardinality(String) COMMENT 'code of the area that carries the flag',
    label    String                 COMMENT 'e.g. left behind',
    source   String                 COMMENT 'who says so',
    from_day Date32,
    to_day   Date32
)
ENGINE = MergeTree
ORDER BY (load, code, label);
