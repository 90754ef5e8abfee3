-- +goose NO TRANSACTION
-- +goose Up

-- What services/internal/gap works out from the published cells. Exact figures and figures that may be shown stand side
-- by side here; Grafana's user reads the views of the database reporting only, which pass on the latter.
-- Lists by quintile have six entries: unknown quintile first, then quintile 1 (most deprived) to 5 (least).

-- Areas by code, for names and for what lies in what.
CREATE TABLE IF NOT EXISTS prevention.geographies
(
    level      LowCardinality(String) COMMENT 'neighbourhood, pcn, place, system, region or england',
    code       String,
    name       String                 COMMENT 'the code where no name was loaded',
    place      String                 COMMENT 'of a neighbourhood or PCN: the place that most of its LSOAs lie in, or most of its people live in',
    system     String                 COMMENT 'of a neighbourhood or place: the system that most of its LSOAs lie in',
    region     String                 COMMENT 'of a neighbourhood, place or system: the region that most of its LSOAs lie in',
    generation UInt32                 COMMENT 'load of the look-ups it was made from'
)
ENGINE = ReplacingMergeTree(generation)
ORDER BY (level, code)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- One row for each geography and day of a season: counts, and all measures of that day.
CREATE TABLE IF NOT EXISTS prevention.gap_days
(
    programme    LowCardinality(String),
    season       LowCardinality(String),
    level        Enum8('pcn' = 1, 'place' = 2, 'system' = 3, 'region' = 4, 'england' = 5, 'published series' = 6),
    code         LowCardinality(String),
    fifths       Enum8('national' = 1, 'local' = 2) COMMENT 'quintiles of England, or fifths of the geography''s own eligible people',
    day          Date32,
    id           UInt128 COMMENT 'the programme''s id in prevention.published that the counts are of',
    content      UInt64  COMMENT 'hash of all that follows: equal rows are not written again',
    covered      Array(UInt64) COMMENT 'exact',
    eligible     Array(UInt64) COMMENT 'exact',
    shown_covered  Array(Nullable(UInt64)) COMMENT 'as it may be shown; null = withheld',
    shown_eligible Array(Nullable(UInt64)) COMMENT 'as it may be shown; null = withheld',
    withheld       Array(LowCardinality(String)) COMMENT 'why covered people are withheld, empty where they are shown',
    all_covered  Nullable(UInt64) COMMENT 'the sum that may be shown, unknown quintile included',
    all_eligible Nullable(UInt64),
    -- From here on everything is computed from shown counts.
    uptake       Array(Nullable(Float64)) COMMENT 'share of 1',
    uptake_low   Array(Nullable(Float64)) COMMENT 'Wilson, 95 %',
    uptake_high  Array(Nullable(Float64)),
    pace         Array(Nullable(Float64)) COMMENT 'uptake less uptake seven days before, share of 1',
    short_best   Array(Nullable(UInt64)) COMMENT 'people short to the best quintile',
    short_target Array(Nullable(UInt64)) COMMENT 'people short to the target',
    gap Nullable(Float64), gap_low Nullable(Float64), gap_high Nullable(Float64),
    ratio Nullable(Float64), ratio_low Nullable(Float64), ratio_high Nullable(Float64),
    sii Nullable(Float64), sii_low Nullable(Float64), sii_high Nullable(Float64),
    rii Nullable(Float64), rii_low Nullable(Float64), rii_high Nullable(Float64),
    sii_linear Nullable(Float64), sii_linear_low Nullable(Float64), sii_linear_high Nullable(Float64),
    rii_linear Nullable(Float64), rii_linear_low Nullable(Float64), rii_linear_high Nullable(Float64),
    biggest_win  UInt8  COMMENT 'quintile that adds most people for one percentage point, 0 = none',
    not_computed String COMMENT 'measures that are not computed and why, one a line'
)
ENGINE = ReplacingMergeTree(id)
PARTITION BY programme
ORDER BY (programme, season, level, code, fifths, day)
SETTINGS index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1;

-- Neighbourhoods, once a week: the state on a Sunday, as known when it became complete. Never changed afterwards.
CREATE TABLE IF NOT EXISTS prevention.neighbourhood_weeks
(
    programme    LowCardinality(String),
    season       LowCardinality(String),
    day          Date32 COMMENT 'a Sunday',
    place        LowCardinality(String),
    system       LowCardinality(String),
    code         LowCardinality(String) COMMENT 'MSOA, empty = unknown',
    id           UInt128,
    covered      Nullable(UInt64) COMMENT 'as it may be shown; null = withheld',
    eligible     Nullable(UInt64) COMMENT 'as it may be shown; null = withheld',
    withheld     LowCardinality(String) COMMENT 'why covered people are withheld, empty where they are shown',
    uptake       Nullable(Float64) COMMENT 'share of 1',
    uptake_low   Nullable(Float64),
    uptake_high  Nullable(Float64),
    short_target Nullable(UInt64) COMMENT 'people short to the target',
    pace         Nullable(Float64) COMMENT 'uptake less uptake four weeks before, by week, share of 1',
    rank         UInt32 COMMENT '1 = furthest behind of its place, 0 = not ranked',
    ranked       UInt32 COMMENT 'neighbourhoods of the place that are ranked'
)
ENGINE = ReplacingMergeTree(id)
PARTITION BY programme
ORDER BY (programme, season, day, place, system, code)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Ethnic groups by place and quintile, once a week like neighbourhoods.
CREATE TABLE IF NOT EXISTS prevention.ethnicity_weeks
(
    programme LowCardinality(String),
    season    LowCardinality(String),
    day       Date32 COMMENT 'a Sunday',
    place     LowCardinality(String),
    system    LowCardinality(String),
    quintile  UInt8,
    ethnicity LowCardinality(String) COMMENT 'NHS ethnic category code 2001, empty = not said',
    id        UInt128,
    covered   Nullable(UInt64) COMMENT 'as it may be shown; null = withheld',
    eligible  Nullable(UInt64) COMMENT 'as it may be shown; null = withheld or no denominator',
    withheld  LowCardinality(String) COMMENT 'why covered people are withheld, or no denominator',
    uptake    Nullable(Float64)
)
ENGINE = ReplacingMergeTree(id)
PARTITION BY programme
ORDER BY (programme, season, day, place, system, quintile, ethnicity)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- How long a programme's events take to come in, as last learnt.
CREATE TABLE IF NOT EXISTS prevention.completeness
(
    programme     LowCardinality(String),
    as_of         Date32  COMMENT 'the day it was learnt on',
    lag           UInt16  COMMENT 'days until 95 % of a day''s events have come, in the slowest quintile',
    basis         String  COMMENT 'what it was learnt from',
    quintile_lags Array(UInt16) COMMENT 'of quintile 1 to 5, 0 = too few events',
    last_complete Date32  COMMENT 'as_of - lag',
    learnt_at     DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(learnt_at)
ORDER BY programme
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The verdict in force on a geography and how it came about, as of the last complete day that was judged.
CREATE TABLE IF NOT EXISTS prevention.judged
(
    programme  LowCardinality(String),
    season     LowCardinality(String),
    level      LowCardinality(String) COMMENT 'place, system, region or england',
    code       LowCardinality(String),
    day        Date32 COMMENT 'last complete day judged',
    fifths     LowCardinality(String) COMMENT 'national or local: which the verdict uses',
    verdict    LowCardinality(String) COMMENT 'widening, narrowing, steady or not enough data',
    since      Date32,
    differ     UInt8  COMMENT 'complete days in a row that said something else',
    missing    String COMMENT 'what is missing, in words, empty = nothing',
    comparator LowCardinality(String),
    against    Date32,
    sentence   String COMMENT 'exact figures to 0.1 point',
    shown      Bool   COMMENT 'false: figures and sentence are withheld, the verdict alone may be shown',
    gap Nullable(Float64), change Nullable(Float64), change_low Nullable(Float64), change_high Nullable(Float64),
    needed Nullable(Float64) COMMENT 'the smallest change that would be a verdict here',
    sii Nullable(Float64),
    id         UInt128
)
ENGINE = ReplacingMergeTree(day)
ORDER BY (programme, season, level, code)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Every change of a verdict, as known when it was made. Rows are added and never changed: late data revise the views,
-- not this. Of two aggregators that make the same change the second is dropped by its token (event_id).
CREATE TABLE IF NOT EXISTS prevention.verdict_log
(
    event_id   String COMMENT 'programme/season/geography/n',
    programme  LowCardinality(String),
    season     LowCardinality(String),
    level      LowCardinality(String),
    code       LowCardinality(String),
    name       String,
    n          UInt32 COMMENT 'first change of this programme, season and geography is 1',
    verdict    LowCardinality(String),
    previous   LowCardinality(String),
    day        Date32 COMMENT 'the last complete day, whose finding it is',
    decided_at DateTime64(3, 'UTC'),
    fifths     LowCardinality(String),
    comparator LowCardinality(String),
    against    Date32,
    sentence   String,
    shown      Bool COMMENT 'false: figures and sentence are withheld, the verdict alone may be shown',
    gap Nullable(Float64), change Nullable(Float64), change_low Nullable(Float64), change_high Nullable(Float64),
    sii Nullable(Float64),
    id         UInt128 COMMENT 'snapshot that it was made from'
)
ENGINE = MergeTree
ORDER BY (programme, season, level, code, n)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 100000;

-- Which of them JetStream has confirmed.
CREATE TABLE IF NOT EXISTS prevention.verdict_published
(
    event_id     String,
    published_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY event_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Where a season is heading, by quintile, from shown counts.
CREATE TABLE IF NOT EXISTS prevention.trajectories
(
    programme LowCardinality(String),
    season    LowCardinality(String),
    level     LowCardinality(String),
    code      LowCardinality(String),
    quintile  UInt8,
    day       Date32 COMMENT 'last complete day',
    id        UInt128,
    method    LowCardinality(String),
    status    LowCardinality(String) COMMENT 'reached, expected, unlikely this season, or why there is none',
    uptake    Nullable(Float64),
    end_uptake Nullable(Float64), end_low Nullable(Float64), end_high Nullable(Float64),
    reached   Nullable(Date32), reached_earliest Nullable(Date32), reached_latest Nullable(Date32),
    pace_needed Nullable(Float64) COMMENT 'share of 1 a week to reach the target by the end of the season',
    people_needed Nullable(UInt64) COMMENT 'people a week'
)
ENGINE = ReplacingMergeTree(id)
ORDER BY (programme, season, level, code, quintile)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- What interventions did, from shown counts.
CREATE TABLE IF NOT EXISTS prevention.intervention_effects
(
    programme LowCardinality(String),
    season    LowCardinality(String),
    code      LowCardinality(String) COMMENT 'place',
    label     String,
    from_day  Date32,
    to_day    Date32,
    measure   LowCardinality(String) COMMENT 'weekly pace of quintile 1, or gap',
    day       Date32 COMMENT 'last day looked at',
    id        UInt128,
    effect Nullable(Float64), low Nullable(Float64), high Nullable(Float64),
    here Nullable(Float64), elsewhere Nullable(Float64),
    places    UInt32 COMMENT 'places compared with',
    not_computed String
)
ENGINE = ReplacingMergeTree(id)
ORDER BY (programme, season, code, label, from_day, measure)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
