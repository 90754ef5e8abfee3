-- +goose NO TRANSACTION
-- +goose Up

-- What people build charts on. Grafana's user may read this database and nothing else: the views run with the rights of
-- who made them (SQL SECURITY DEFINER, no definer named). They pass on figures that may be shown and no others.
--
-- Filters on programme, season, level, code and day reach the primary key of the snapshot behind a view, because these
-- columns are passed on as they are stored. A column that is computed must not take the name of one of them.
--
-- Settings of who asks hold inside a view too, and some are filters on the tables behind it, exact columns and all
-- (additional_table_filters, parallel_replicas_custom_key). Each view therefore sets them itself. With FINAL,
-- optimize_move_to_prewhere_if_final moves filters on the primary key only, so that other columns are read where these hold.
--
-- A day is complete up to the last complete day of its programme. That moves on by a day each day, also when no season is
-- running, so that every day of a season that is over is complete. The season itself is called over when its last day lies
-- further back than the longest lag, 42 days (services/internal/completeness).

-- The settings of the programmes, for names, targets and the days of seasons. Written by services/internal/reporting.
CREATE TABLE IF NOT EXISTS prevention.programmes
(
    programme       LowCardinality(String),
    position        UInt16  COMMENT 'place in programmes.yaml, from 1',
    name            String,
    kind            LowCardinality(String) COMMENT 'seasonal, rolling or cohort',
    target          Float64 COMMENT 'share of 1',
    history_from    Date32,
    floor           UInt32  COMMENT 'people',
    smallest_change Float64 COMMENT 'share of 1',
    unknown_area    Float64 COMMENT 'share of 1',
    ceiling         Float64 COMMENT 'share of 1',
    eligible_group  String,
    source          String,
    imd             UInt16,
    seasons         Array(String) COMMENT 'in order of time; rolling programmes have one, rolling',
    starts          Array(Date32),
    ends            Array(Date32) COMMENT 'last day; 2299-12-31 = none',
    written_at      DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY programme
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Geographies with the names of what they lie in.
CREATE VIEW IF NOT EXISTS prevention.geographies_now AS
SELECT area.level AS level, area.code AS code, if(area.name = '', area.code, area.name) AS name,
       if(area.level = 'place', area.code, area.place) AS place_code, place.name AS place_name,
       if(area.level = 'system', area.code, area.system) AS system_code, system.name AS system_name,
       if(area.level = 'region', area.code, area.region) AS region_code, region.name AS region_name
FROM prevention.geographies AS area FINAL
LEFT ANY JOIN (SELECT code, name FROM prevention.geographies FINAL WHERE level = 'place') AS place ON place.code = place_code
LEFT ANY JOIN (SELECT code, name FROM prevention.geographies FINAL WHERE level = 'system') AS system ON system.code = system_code
LEFT ANY JOIN (SELECT code, name FROM prevention.geographies FINAL WHERE level = 'region') AS region ON region.code = region_code
SETTINGS join_use_nulls = 0;

CREATE VIEW IF NOT EXISTS reporting.programmes
(
    programme       LowCardinality(String) COMMENT 'Programme id, e.g. flu-65.',
    programme_name  String  COMMENT 'Name of the programme.',
    position        UInt16  COMMENT 'Place in programmes.yaml, from 1: the order to list programmes in.',
    kind            LowCardinality(String) COMMENT 'seasonal: every season starts from nothing. rolling: a check covers for some months. cohort: children of one year, counted until its cut-off.',
    eligible_group  String  COMMENT 'Who is eligible, in words.',
    target          Nullable(Float64) COMMENT 'Uptake aimed at, share of 1 (0.75 = 75 %). Null where there is none.',
    ceiling         Float64 COMMENT 'Gap above which an alert is raised, share of 1 (0.2 = 20 percentage points).',
    smallest_change Float64 COMMENT 'Smallest change of the gap that matters, share of 1: less is never called widening or narrowing.',
    floor           UInt32  COMMENT 'Eligible people that a quintile must have for measures to be computed.',
    unknown_area    Float64 COMMENT 'Share of covered people without a known area above which no verdict is given, share of 1.',
    imd_edition     UInt16  COMMENT 'Edition of the English Indices of Deprivation that quintiles are taken from.',
    history_from    Date32  COMMENT 'First day that counts are shown for.',
    source          String  COMMENT 'Where target, dates and group were published.'
)
SQL SECURITY DEFINER AS
SELECT about.programme AS programme, about.name AS programme_name, about.position AS position, about.kind AS kind, about.eligible_group AS eligible_group,
       nullIf(about.target, 0) AS target, about.ceiling AS ceiling, about.smallest_change AS smallest_change, about.floor AS floor,
       about.unknown_area AS unknown_area, about.imd AS imd_edition, about.history_from AS history_from, about.source AS source
FROM prevention.programmes AS about FINAL
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Programmes and their settings, one row each. Source: programmes.yaml of this deployment.';

CREATE VIEW IF NOT EXISTS reporting.seasons
(
    programme          LowCardinality(String) COMMENT 'Programme id.',
    programme_name     String COMMENT 'Name of the programme.',
    kind               LowCardinality(String) COMMENT 'seasonal, rolling or cohort.',
    season             String COMMENT 'Season id; the cohort for cohort programmes; rolling for programmes without seasons.',
    starts_on          Date32 COMMENT 'First day of the season.',
    ends_on            Nullable(Date32) COMMENT 'Last day of the season. Null for programmes without seasons.',
    newest             Bool   COMMENT 'True for the newest season that has begun.',
    over               Bool   COMMENT 'True when the season ended so long ago (42 days) that late records hardly move it any more.',
    last_complete_day  Nullable(Date32) COMMENT 'Last day of the season that is complete: use it for the figures of now. Null until the first day is complete.',
    last_week          Nullable(Date32) COMMENT 'Last Sunday that is complete: the day of the newest rows of neighbourhoods and ethnicity. May be before the season starts: then there are none.',
    previous_season    String COMMENT 'The season before, empty where there is none.',
    previous_ahead     Nullable(Int32) COMMENT 'Days from the start of the season before to the start of this one: add them to its days to lay it beside this season. Null where there is none.'
)
SQL SECURITY DEFINER AS
SELECT about.programme AS programme, about.name AS programme_name, about.kind AS kind,
       about.seasons[n] AS season, about.starts[n] AS starts_on, nullIf(about.ends[n], toDate32('2299-12-31')) AS ends_on,
       CAST(n = arrayLastIndex(start -> start <= lag.as_of, about.starts), 'Bool') AS newest, CAST(about.ends[n] + 42 < lag.as_of, 'Bool') AS over,
       if(lag.last_complete < about.starts[n], NULL, least(about.ends[n], lag.last_complete)) AS last_complete_day,
       CAST(toStartOfWeek(last_complete_day, 0), 'Nullable(Date32)') AS last_week,
       if(n = 1, '', about.seasons[n - 1]) AS previous_season, if(n = 1, NULL, dateDiff('day', about.starts[n - 1], about.starts[n])) AS previous_ahead
FROM prevention.programmes AS about FINAL
LEFT ANY JOIN (SELECT * FROM prevention.completeness FINAL) AS lag ON lag.programme = about.programme
ARRAY JOIN arrayEnumerate(about.seasons) AS n
WHERE about.starts[n] <= lag.as_of
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Seasons that have begun, one row for each programme and season: the days to ask the other views for.';

CREATE VIEW IF NOT EXISTS reporting.complete_days
(
    programme      LowCardinality(String) COMMENT 'Programme id.',
    programme_name String COMMENT 'Name of the programme.',
    last_complete  Date32 COMMENT 'Last complete day. Later days are provisional: many of their records are still to come.',
    lag_days       UInt16 COMMENT 'Days until 95 % of a day''s records have come, in the slowest quintile.',
    basis          String COMMENT 'What the lag was learnt from.',
    lag_days_1     Nullable(UInt16) COMMENT 'Lag of quintile 1 (most deprived) in days. Null where there were too few records.',
    lag_days_2     Nullable(UInt16) COMMENT 'Lag of quintile 2 in days. Null where there were too few records.',
    lag_days_3     Nullable(UInt16) COMMENT 'Lag of quintile 3 in days. Null where there were too few records.',
    lag_days_4     Nullable(UInt16) COMMENT 'Lag of quintile 4 in days. Null where there were too few records.',
    lag_days_5     Nullable(UInt16) COMMENT 'Lag of quintile 5 (least deprived) in days. Null where there were too few records.',
    as_of          Date32 COMMENT 'Day it was learnt on.',
    learnt_at      DateTime64(3, 'UTC') COMMENT 'Time it was learnt at (UTC).'
)
SQL SECURITY DEFINER AS
SELECT lag.programme AS programme, if(about.name = '', lag.programme, about.name) AS programme_name, lag.last_complete AS last_complete,
       lag.lag AS lag_days, lag.basis AS basis,
       nullIf(lag.quintile_lags[1], 0) AS lag_days_1, nullIf(lag.quintile_lags[2], 0) AS lag_days_2, nullIf(lag.quintile_lags[3], 0) AS lag_days_3,
       nullIf(lag.quintile_lags[4], 0) AS lag_days_4, nullIf(lag.quintile_lags[5], 0) AS lag_days_5,
       lag.as_of AS as_of, lag.learnt_at AS learnt_at
FROM prevention.completeness AS lag FINAL
LEFT ANY JOIN (SELECT * FROM prevention.programmes FINAL) AS about ON about.programme = lag.programme
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'How long records take to come in, as learnt, and the last complete day, one row for each programme.';

CREATE VIEW IF NOT EXISTS reporting.geographies
(
    level       LowCardinality(String) COMMENT 'neighbourhood (MSOA), pcn, place (local authority), system (ICB), region or england.',
    code        String COMMENT 'Code of the geography.',
    name        String COMMENT 'Its name. The code where no name was loaded.',
    place_code  String COMMENT 'Local authority: the geography itself, or the one that most of it lies in. Empty above places and where unknown.',
    place_name  String COMMENT 'Name of that local authority.',
    system_code String COMMENT 'Integrated care board (ICB): the geography itself, or the one that most of it lies in. 13 local authorities lie in two. Empty above systems and where unknown.',
    system_name String COMMENT 'Name of that system.',
    region_code String COMMENT 'Region: the geography itself, or the one that most of it lies in. Empty for England and where unknown.',
    region_name String COMMENT 'Name of that region.'
)
SQL SECURITY DEFINER AS
SELECT level, code, name, place_code, place_name, system_code, system_name, region_code, region_name FROM prevention.geographies_now AS area
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Geographies by code, and what they lie in: for dashboard variables. Geographies of 2024.';

CREATE VIEW IF NOT EXISTS reporting.uptake
(
    programme      LowCardinality(String) COMMENT 'Programme id. Filter on it: that makes queries fast.',
    programme_name String COMMENT 'Name of the programme.',
    season         LowCardinality(String) COMMENT 'Season id. Filter on it: that makes queries fast.',
    level          Enum8('pcn' = 1, 'place' = 2, 'system' = 3, 'region' = 4, 'england' = 5, 'published series' = 6) COMMENT 'Kind of geography; published series are counts that others published. Filter on it: that makes queries fast.',
    code           LowCardinality(String) COMMENT 'Code of the geography. Filter on it: that makes queries fast.',
    name           String COMMENT 'Name of the geography. The code where no name was loaded.',
    place_code     String COMMENT 'Local authority that the geography is or that most of it lies in, empty above places.',
    place_name     String COMMENT 'Name of that local authority.',
    system_code    String COMMENT 'System (ICB) that the geography is or that most of it lies in, empty above systems.',
    system_name    String COMMENT 'Name of that system.',
    region_code    String COMMENT 'Region that the geography is or that most of it lies in, empty for England.',
    region_name    String COMMENT 'Name of that region.',
    fifths         Enum8('national' = 1, 'local' = 2) COMMENT 'national: quintiles of England by IMD. local: fifths of this geography''s own eligible people by IMD rank, for places and systems. Always filter on one: never mix them.',
    day            Date32 COMMENT 'Day whose end the figures are of.',
    complete       Bool   COMMENT 'False: provisional, records of this day are still to come.',
    season_day     Nullable(Int32) COMMENT 'Day of the season, its first day is 1. Null for programmes without seasons.',
    quintile       UInt8  COMMENT 'Deprivation quintile: 1 = most deprived to 5 = least deprived, 0 = unknown. People of unknown quintile are in no measure of the gap.',
    quintile_label String COMMENT 'The quintile in words. Core20 is the most deprived national fifth.',
    covered        Nullable(UInt64) COMMENT 'People covered, after disclosure control: rounded to 5, so sums differ a little. Null where withheld.',
    eligible       Nullable(UInt64) COMMENT 'People eligible, after disclosure control: rounded to 5. Null where withheld.',
    withheld       LowCardinality(String) COMMENT 'Why covered people are withheld. Empty where they are shown.',
    uptake         Nullable(Float64) COMMENT 'Covered of eligible, share of 1 (0.5 = 50 %), from the figures shown. Null where withheld. Over 1 where more are covered than eligible: then the eligible are wrong.',
    uptake_low     Nullable(Float64) COMMENT 'Low end of the 95 % interval (Wilson), share of 1.',
    uptake_high    Nullable(Float64) COMMENT 'High end of the 95 % interval (Wilson), share of 1.',
    pace           Nullable(Float64) COMMENT 'Uptake less uptake seven days before, share of 1.',
    short_to_best   Nullable(UInt64) COMMENT 'People who would have to be covered for the uptake of the best quintile.',
    short_to_target Nullable(UInt64) COMMENT 'People who would have to be covered for the programme''s target.',
    target         Nullable(Float64) COMMENT 'The programme''s target, share of 1.'
)
SQL SECURITY DEFINER AS
SELECT days.programme AS programme, if(about.name = '', days.programme, about.name) AS programme_name, days.season AS season,
       days.level AS level, days.code AS code, if(area.name = '', days.code, area.name) AS name,
       area.place_code AS place_code, area.place_name AS place_name, area.system_code AS system_code, area.system_name AS system_name,
       area.region_code AS region_code, area.region_name AS region_name, days.fifths AS fifths, days.day AS day,
       CAST(days.day <= lag.last_complete OR days.level = 'published series', 'Bool') AS complete,
       if(about.kind IN ('seasonal', 'cohort') AND has(about.seasons, days.season),
          dateDiff('day', about.starts[indexOf(about.seasons, days.season)], days.day) + 1, NULL) AS season_day,
       fifth AS quintile,
       multiIf(fifth = 0, 'unknown',
               fifth = 1, if(days.fifths = 'local', '1 (most deprived of this geography)', '1 (most deprived, Core20)'),
               fifth = 5, if(days.fifths = 'local', '5 (least deprived of this geography)', '5 (least deprived)'), toString(fifth)) AS quintile_label,
       days.shown_covered[fifth + 1] AS covered, days.shown_eligible[fifth + 1] AS eligible, days.withheld[fifth + 1] AS withheld,
       days.uptake[fifth + 1] AS uptake, days.uptake_low[fifth + 1] AS uptake_low, days.uptake_high[fifth + 1] AS uptake_high,
       days.pace[fifth + 1] AS pace, days.short_best[fifth + 1] AS short_to_best, days.short_target[fifth + 1] AS short_to_target,
       nullIf(about.target, 0) AS target
FROM prevention.gap_days AS days FINAL
LEFT ANY JOIN prevention.geographies_now AS area ON area.code = days.code
LEFT ANY JOIN (SELECT * FROM prevention.programmes FINAL) AS about ON about.programme = days.programme
LEFT ANY JOIN (SELECT programme, last_complete FROM prevention.completeness FINAL) AS lag ON lag.programme = days.programme
ARRAY JOIN CAST([0, 1, 2, 3, 4, 5], 'Array(UInt8)') AS fifth
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = '',
         optimize_move_to_prewhere_if_final = 1
COMMENT 'Uptake by deprivation quintile: one row for each programme, season, geography, kind of fifths, day and quintile. Uptake of all together is in the view gap.';

CREATE VIEW IF NOT EXISTS reporting.gap
(
    programme      LowCardinality(String) COMMENT 'Programme id. Filter on it: that makes queries fast.',
    programme_name String COMMENT 'Name of the programme.',
    season         LowCardinality(String) COMMENT 'Season id. Filter on it: that makes queries fast.',
    level          Enum8('pcn' = 1, 'place' = 2, 'system' = 3, 'region' = 4, 'england' = 5, 'published series' = 6) COMMENT 'Kind of geography; published series are counts that others published. Filter on it: that makes queries fast.',
    code           LowCardinality(String) COMMENT 'Code of the geography. Filter on it: that makes queries fast.',
    name           String COMMENT 'Name of the geography. The code where no name was loaded.',
    place_code     String COMMENT 'Local authority that the geography is or that most of it lies in, empty above places.',
    place_name     String COMMENT 'Name of that local authority.',
    system_code    String COMMENT 'System (ICB) that the geography is or that most of it lies in, empty above systems.',
    system_name    String COMMENT 'Name of that system.',
    region_code    String COMMENT 'Region that the geography is or that most of it lies in, empty for England.',
    region_name    String COMMENT 'Name of that region.',
    fifths         Enum8('national' = 1, 'local' = 2) COMMENT 'national: quintiles of England by IMD. local: fifths of this geography''s own eligible people by IMD rank, for places and systems. Always filter on one: never mix them.',
    day            Date32 COMMENT 'Day whose end the figures are of.',
    complete       Bool   COMMENT 'False: provisional, records of this day are still to come, and a gap may be theirs.',
    season_day     Nullable(Int32) COMMENT 'Day of the season, its first day is 1. Null for programmes without seasons.',
    covered        Nullable(UInt64) COMMENT 'All people covered, unknown quintile included, after disclosure control: rounded, so sums differ a little. Null where withheld.',
    eligible       Nullable(UInt64) COMMENT 'All people eligible, unknown quintile included, after disclosure control. Null where withheld.',
    uptake         Nullable(Float64) COMMENT 'Overall uptake: covered of eligible, share of 1 (0.5 = 50 %).',
    unknown_area   Nullable(Float64) COMMENT 'Covered people of unknown quintile, as a share of 1 of all covered. They are in no measure of the gap.',
    uptake_1       Nullable(Float64) COMMENT 'Uptake of quintile 1 (most deprived), share of 1. Null where withheld. Intervals and people are in the view uptake.',
    uptake_2       Nullable(Float64) COMMENT 'Uptake of quintile 2, share of 1. Null where withheld.',
    uptake_3       Nullable(Float64) COMMENT 'Uptake of quintile 3, share of 1. Null where withheld.',
    uptake_4       Nullable(Float64) COMMENT 'Uptake of quintile 4, share of 1. Null where withheld.',
    uptake_5       Nullable(Float64) COMMENT 'Uptake of quintile 5 (least deprived), share of 1. Null where withheld.',
    gap            Nullable(Float64) COMMENT 'Absolute gap: uptake of quintile 5 less uptake of quintile 1, share of 1 (0.05 = 5 percentage points). Positive when the least deprived do better.',
    gap_low        Nullable(Float64) COMMENT 'Low end of its 95 % interval (Newcombe), share of 1. Of one look: a verdict also allows for looking every day.',
    gap_high       Nullable(Float64) COMMENT 'High end of its 95 % interval (Newcombe), share of 1.',
    ratio          Nullable(Float64) COMMENT 'Uptake of quintile 1 divided by uptake of quintile 5. 1 = no gap, below 1 = the most deprived do worse.',
    ratio_low      Nullable(Float64) COMMENT 'Low end of its 95 % interval (Katz).',
    ratio_high     Nullable(Float64) COMMENT 'High end of its 95 % interval (Katz).',
    sii            Nullable(Float64) COMMENT 'Slope index of inequality on the logit scale, the headline: difference of uptake between the least and the most deprived person by all five quintiles, share of 1. Positive when the least deprived do better.',
    sii_low        Nullable(Float64) COMMENT 'Low end of its 95 % interval, share of 1.',
    sii_high       Nullable(Float64) COMMENT 'High end of its 95 % interval, share of 1.',
    rii            Nullable(Float64) COMMENT 'Relative index of inequality on the logit scale: the same two people''s uptake, divided (least by most deprived). 1 = no gap.',
    rii_low        Nullable(Float64) COMMENT 'Low end of its 95 % interval.',
    rii_high       Nullable(Float64) COMMENT 'High end of its 95 % interval.',
    sii_linear     Nullable(Float64) COMMENT 'Slope index of inequality by a straight line, share of 1. Never compare it with sii.',
    sii_linear_low  Nullable(Float64) COMMENT 'Low end of its 95 % interval, share of 1.',
    sii_linear_high Nullable(Float64) COMMENT 'High end of its 95 % interval, share of 1.',
    rii_linear     Nullable(Float64) COMMENT 'Relative index of inequality by a straight line. Never compare it with rii.',
    rii_linear_low  Nullable(Float64) COMMENT 'Low end of its 95 % interval.',
    rii_linear_high Nullable(Float64) COMMENT 'High end of its 95 % interval.',
    not_computed   String COMMENT 'Measures that are not computed, and why, one a line. Their columns are null, never 0.',
    short_to_best   Nullable(UInt64) COMMENT 'People of quintiles 1 to 5 who would have to be covered for the uptake of the best quintile. Quintiles that are withheld are left out.',
    short_to_target Nullable(UInt64) COMMENT 'People of quintiles 1 to 5 who would have to be covered for the programme''s target. Quintiles that are withheld are left out.',
    biggest_win    Nullable(UInt8) COMMENT 'Quintile in which one percentage point more would add most people: often one in the middle. Null where it cannot be said.',
    target         Nullable(Float64) COMMENT 'The programme''s target for uptake, share of 1.'
)
SQL SECURITY DEFINER AS
SELECT days.programme AS programme, if(about.name = '', days.programme, about.name) AS programme_name, days.season AS season,
       days.level AS level, days.code AS code, if(area.name = '', days.code, area.name) AS name,
       area.place_code AS place_code, area.place_name AS place_name, area.system_code AS system_code, area.system_name AS system_name,
       area.region_code AS region_code, area.region_name AS region_name, days.fifths AS fifths, days.day AS day,
       CAST(days.day <= lag.last_complete OR days.level = 'published series', 'Bool') AS complete,
       if(about.kind IN ('seasonal', 'cohort') AND has(about.seasons, days.season),
          dateDiff('day', about.starts[indexOf(about.seasons, days.season)], days.day) + 1, NULL) AS season_day,
       days.all_covered AS covered, days.all_eligible AS eligible, days.all_covered / nullIf(days.all_eligible, 0) AS uptake,
       days.shown_covered[1] / nullIf(days.all_covered, 0) AS unknown_area,
       days.uptake[2] AS uptake_1, days.uptake[3] AS uptake_2, days.uptake[4] AS uptake_3, days.uptake[5] AS uptake_4, days.uptake[6] AS uptake_5,
       days.gap AS gap, days.gap_low AS gap_low, days.gap_high AS gap_high,
       days.ratio AS ratio, days.ratio_low AS ratio_low, days.ratio_high AS ratio_high,
       days.sii AS sii, days.sii_low AS sii_low, days.sii_high AS sii_high,
       days.rii AS rii, days.rii_low AS rii_low, days.rii_high AS rii_high,
       days.sii_linear AS sii_linear, days.sii_linear_low AS sii_linear_low, days.sii_linear_high AS sii_linear_high,
       days.rii_linear AS rii_linear, days.rii_linear_low AS rii_linear_low, days.rii_linear_high AS rii_linear_high,
       days.not_computed AS not_computed,
       if(arrayAll(n -> isNull(n), arraySlice(days.short_best, 2)), NULL, arraySum(n -> ifNull(n, 0), arraySlice(days.short_best, 2))) AS short_to_best,
       if(arrayAll(n -> isNull(n), arraySlice(days.short_target, 2)), NULL, arraySum(n -> ifNull(n, 0), arraySlice(days.short_target, 2))) AS short_to_target,
       nullIf(days.biggest_win, 0) AS biggest_win, nullIf(about.target, 0) AS target
FROM prevention.gap_days AS days FINAL
LEFT ANY JOIN prevention.geographies_now AS area ON area.code = days.code
LEFT ANY JOIN (SELECT * FROM prevention.programmes FINAL) AS about ON about.programme = days.programme
LEFT ANY JOIN (SELECT programme, last_complete FROM prevention.completeness FINAL) AS lag ON lag.programme = days.programme
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = '',
         optimize_move_to_prewhere_if_final = 1
COMMENT 'The gap between the most and the least deprived, every measure of it, and overall uptake: one row for each programme, season, geography, kind of fifths and day. All of it is computed from the figures shown, so it may differ from the exact by a little.';

CREATE VIEW IF NOT EXISTS reporting.neighbourhoods
(
    programme      LowCardinality(String) COMMENT 'Programme id. Filter on it: that makes queries fast.',
    programme_name String COMMENT 'Name of the programme.',
    season         LowCardinality(String) COMMENT 'Season id. Filter on it: that makes queries fast.',
    day            Date32 COMMENT 'A Sunday whose end the figures are of. They are as known when it became complete, and never change. Filter on it: that makes queries fast.',
    place_code     LowCardinality(String) COMMENT 'Local authority. Filter on it: that makes queries fast.',
    place_name     String COMMENT 'Name of the local authority.',
    system_code    LowCardinality(String) COMMENT 'System (ICB) that most of the local authority lies in.',
    system_name    String COMMENT 'Name of the system.',
    region_code    String COMMENT 'Region that most of the local authority lies in.',
    region_name    String COMMENT 'Name of that region.',
    code           LowCardinality(String) COMMENT 'Code of the neighbourhood (MSOA), empty = people of unknown neighbourhood.',
    name           String COMMENT 'Name of the neighbourhood. The code where no name was loaded.',
    covered        Nullable(UInt64) COMMENT 'People covered, after disclosure control: rounded to 5. Null where withheld.',
    eligible       Nullable(UInt64) COMMENT 'People eligible, after disclosure control: rounded to 5. Null where withheld.',
    withheld       LowCardinality(String) COMMENT 'Why covered people are withheld. Empty where they are shown.',
    uptake         Nullable(Float64) COMMENT 'Covered of eligible, share of 1 (0.5 = 50 %). Null where withheld.',
    uptake_low     Nullable(Float64) COMMENT 'Low end of the 95 % interval (Wilson), share of 1.',
    uptake_high    Nullable(Float64) COMMENT 'High end of the 95 % interval (Wilson), share of 1.',
    short_to_target Nullable(UInt64) COMMENT 'People who would have to be covered for the programme''s target.',
    pace           Nullable(Float64) COMMENT 'Mean weekly rise of uptake over the last four weeks, share of 1.',
    rank           Nullable(UInt32) COMMENT 'Rank within the local authority by uptake: 1 = furthest behind. Null where not ranked. A rank is no gap: neighbourhoods are too small for one.',
    ranked         UInt32 COMMENT 'Neighbourhoods of the local authority that are ranked.',
    furthest_behind Bool  COMMENT 'True for the tenth of the local authority''s ranked neighbourhoods that is furthest behind, at least one.',
    flags          String COMMENT 'Flags of loaded lists that are in force on the day, such as left behind. Empty = none, or no list was loaded.',
    target         Nullable(Float64) COMMENT 'The programme''s target, share of 1.'
)
SQL SECURITY DEFINER AS
SELECT weeks.programme AS programme, if(about.name = '', weeks.programme, about.name) AS programme_name, weeks.season AS season, weeks.day AS day,
       weeks.place AS place_code, if(place.name = '', weeks.place, place.name) AS place_name,
       weeks.system AS system_code, if(system.name = '', weeks.system, system.name) AS system_name,
       place.region AS region_code, region.name AS region_name,
       weeks.code AS code, multiIf(weeks.code = '', 'unknown', area.name = '', weeks.code, area.name) AS name,
       weeks.covered AS covered, weeks.eligible AS eligible, weeks.withheld AS withheld,
       weeks.uptake AS uptake, weeks.uptake_low AS uptake_low, weeks.uptake_high AS uptake_high, weeks.short_target AS short_to_target,
       weeks.pace AS pace, nullIf(weeks.rank, 0) AS rank, weeks.ranked AS ranked,
       CAST(weeks.rank BETWEEN 1 AND intDiv(weeks.ranked + 9, 10), 'Bool') AS furthest_behind,
       arrayStringConcat(arraySort(arrayDistinct(arrayMap(f -> f.3, arrayFilter(f -> f.1 <= weeks.day AND weeks.day <= f.2, flagged.list)))), ', ') AS flags,
       nullIf(about.target, 0) AS target
FROM prevention.neighbourhood_weeks AS weeks FINAL
LEFT ANY JOIN (SELECT code, name FROM prevention.geographies FINAL WHERE level = 'neighbourhood') AS area ON area.code = weeks.code
LEFT ANY JOIN (SELECT code, name, region FROM prevention.geographies FINAL WHERE level = 'place') AS place ON place.code = weeks.place
LEFT ANY JOIN (SELECT code, name FROM prevention.geographies FINAL WHERE level = 'system') AS system ON system.code = weeks.system
LEFT ANY JOIN (SELECT code, name FROM prevention.geographies FINAL WHERE level = 'region') AS region ON region.code = place.region
LEFT ANY JOIN (SELECT * FROM prevention.programmes FINAL) AS about ON about.programme = weeks.programme
LEFT ANY JOIN (SELECT code, groupArray((from_day, to_day, label)) AS list FROM prevention.flags
               WHERE (batch, concat(label, '\t', source)) IN (SELECT batch, key FROM prevention.loads_now WHERE kind = 'flags') GROUP BY code) AS flagged
    ON flagged.code = weeks.code
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = '',
         optimize_move_to_prewhere_if_final = 1
COMMENT 'Neighbourhoods week by week: one row for each programme, season, Sunday and neighbourhood.';

CREATE VIEW IF NOT EXISTS reporting.ethnicity
(
    programme      LowCardinality(String) COMMENT 'Programme id. Filter on it: that makes queries fast.',
    programme_name String COMMENT 'Name of the programme.',
    season         LowCardinality(String) COMMENT 'Season id. Filter on it: that makes queries fast.',
    day            Date32 COMMENT 'A Sunday whose end the figures are of. They are as known when it became complete, and never change. Filter on it: that makes queries fast.',
    place_code     LowCardinality(String) COMMENT 'Local authority. Empty in the rows of a whole system, which are the sums of its local authorities: choose one or the other. Filter on it: that makes queries fast.',
    place_name     String COMMENT 'Name of the local authority.',
    system_code    LowCardinality(String) COMMENT 'System (ICB); of a local authority that lies in several the one that most of it lies in.',
    system_name    String COMMENT 'Name of the system.',
    quintile       UInt8  COMMENT 'Deprivation quintile of England: 1 = most deprived to 5 = least deprived, 0 = unknown.',
    quintile_label String COMMENT 'The quintile in words. Core20 is the most deprived national fifth.',
    ethnicity      LowCardinality(String) COMMENT 'NHS ethnic category code 2001 (A to S, Z = not stated), empty = not said.',
    ethnicity_label String COMMENT 'The ethnic category in words.',
    covered        Nullable(UInt64) COMMENT 'People covered, after disclosure control: rounded to 5. Null where withheld: that is not 0.',
    eligible       Nullable(UInt64) COMMENT 'People eligible, after disclosure control: rounded to 5. Null where withheld or where the denominator has no ethnicity.',
    withheld       LowCardinality(String) COMMENT 'Why figures are withheld, or that there is no denominator. Empty where they are shown.',
    uptake         Nullable(Float64) COMMENT 'Covered of eligible, share of 1 (0.5 = 50 %). Null where withheld.'
)
SQL SECURITY DEFINER AS
SELECT weeks.programme AS programme, if(about.name = '', weeks.programme, about.name) AS programme_name, weeks.season AS season, weeks.day AS day,
       weeks.place AS place_code, if(place.name = '', weeks.place, place.name) AS place_name,
       weeks.system AS system_code, if(system.name = '', weeks.system, system.name) AS system_name,
       weeks.quintile AS quintile, transform(weeks.quintile, [0, 1, 5], ['unknown', '1 (most deprived, Core20)', '5 (least deprived)'], toString(weeks.quintile)) AS quintile_label,
       weeks.ethnicity AS ethnicity,
       transform(toString(weeks.ethnicity), ['', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'R', 'S', 'Z'],
           ['Not said', 'White: British', 'White: Irish', 'White: any other', 'Mixed: White and Black Caribbean', 'Mixed: White and Black African',
            'Mixed: White and Asian', 'Mixed: any other', 'Asian: Indian', 'Asian: Pakistani', 'Asian: Bangladeshi', 'Asian: any other',
            'Black: Caribbean', 'Black: African', 'Black: any other', 'Chinese', 'Any other ethnic group', 'Not stated'], toString(weeks.ethnicity)) AS ethnicity_label,
       weeks.covered AS covered, weeks.eligible AS eligible, weeks.withheld AS withheld, weeks.uptake AS uptake
FROM prevention.ethnicity_weeks AS weeks FINAL
LEFT ANY JOIN (SELECT code, name FROM prevention.geographies FINAL WHERE level = 'place') AS place ON place.code = weeks.place
LEFT ANY JOIN (SELECT code, name FROM prevention.geographies FINAL WHERE level = 'system') AS system ON system.code = weeks.system
LEFT ANY JOIN (SELECT * FROM prevention.programmes FINAL) AS about ON about.programme = weeks.programme
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = '',
         optimize_move_to_prewhere_if_final = 1
COMMENT 'Ethnic groups by quintile, week by week: one row for each programme, season, Sunday, local authority, quintile and ethnic category. Adding up local authorities leaves out what is withheld.';

CREATE VIEW IF NOT EXISTS reporting.verdicts
(
    programme      LowCardinality(String) COMMENT 'Programme id.',
    programme_name String COMMENT 'Name of the programme.',
    season         LowCardinality(String) COMMENT 'Season id.',
    level          LowCardinality(String) COMMENT 'place, system, region or england.',
    code           LowCardinality(String) COMMENT 'Code of the geography.',
    name           String COMMENT 'Name of the geography. The code where no name was loaded.',
    system_code    String COMMENT 'System (ICB) that the geography is or that most of it lies in, empty above systems.',
    system_name    String COMMENT 'Name of that system.',
    region_code    String COMMENT 'Region that the geography is or that most of it lies in, empty for England.',
    region_name    String COMMENT 'Name of that region.',
    day            Date32 COMMENT 'Last complete day that was judged.',
    over           Bool   COMMENT 'True when the season is over: the verdict is its last one, and nothing is watched any more.',
    verdict        LowCardinality(String) COMMENT 'widening, narrowing, steady or not enough data. It is on the absolute gap and holds three complete days before it changes back.',
    since          Date32 COMMENT 'Complete day from which on the verdict holds.',
    fifths         LowCardinality(String) COMMENT 'Quintiles that the verdict uses: national (of England) or local (fifths of the geography).',
    comparator     LowCardinality(String) COMMENT 'What the gap is compared with.',
    against        Nullable(Date32) COMMENT 'The day that it is compared with. Null where there is none.',
    figures_shown  Bool   COMMENT 'False: so few people stand behind the figures that the verdict alone is shown.',
    sentence       String COMMENT 'The verdict and its reason in one sentence, from exact counts, to 0.1 percentage point. Where figures are withheld it says so.',
    missing        String COMMENT 'What is missing for a verdict, in words. Empty = nothing, or withheld.',
    gap            Nullable(Float64) COMMENT 'Gap on the day from exact counts, to 0.001 (0.1 percentage point), share of 1. Null where withheld.',
    change         Nullable(Float64) COMMENT 'Change of the gap against the comparator, to 0.001, share of 1; positive = wider. Null where withheld or not known.',
    change_low     Nullable(Float64) COMMENT 'Low end of its interval, to 0.001, share of 1, corrected for looking every day.',
    change_high    Nullable(Float64) COMMENT 'High end of its interval, to 0.001, share of 1, corrected for looking every day.',
    needed         Nullable(Float64) COMMENT 'Smallest change that would be a verdict here, to 0.001, share of 1. Null where withheld or not known.',
    sii            Nullable(Float64) COMMENT 'Slope index of inequality (logit) on the day, to 0.001, share of 1. Null where withheld or not computed.',
    ceiling        Float64 COMMENT 'Gap above which an alert is raised, share of 1; a setting of the programme.'
)
SQL SECURITY DEFINER AS
SELECT judged.programme AS programme, if(about.name = '', judged.programme, about.name) AS programme_name, judged.season AS season,
       judged.level AS level, judged.code AS code, if(area.name = '', judged.code, area.name) AS name,
       area.system_code AS system_code, area.system_name AS system_name, area.region_code AS region_code, area.region_name AS region_name,
       judged.day AS day, CAST(has(about.seasons, judged.season) AND about.ends[indexOf(about.seasons, judged.season)] + 42 < lag.as_of, 'Bool') AS over,
       judged.verdict AS verdict, judged.since AS since,
       judged.fifths AS fifths, judged.comparator AS comparator, nullIf(judged.against, toDate32('1970-01-01')) AS against, judged.shown AS figures_shown,
       if(judged.shown, judged.sentence, concat(programme_name, ' in ', name, ': ', judged.verdict, '. The figures are withheld: too few people stand behind them.')) AS sentence,
       if(judged.shown, judged.missing, '') AS missing,
       if(judged.shown, round(judged.gap, 3), NULL) AS gap, if(judged.shown, round(judged.change, 3), NULL) AS change,
       if(judged.shown, round(judged.change_low, 3), NULL) AS change_low, if(judged.shown, round(judged.change_high, 3), NULL) AS change_high,
       if(judged.shown, round(judged.needed, 3), NULL) AS needed, if(judged.shown, round(judged.sii, 3), NULL) AS sii, about.ceiling AS ceiling
FROM prevention.judged AS judged FINAL
LEFT ANY JOIN prevention.geographies_now AS area ON area.code = judged.code
LEFT ANY JOIN (SELECT * FROM prevention.programmes FINAL) AS about ON about.programme = judged.programme
LEFT ANY JOIN (SELECT programme, as_of FROM prevention.completeness FINAL) AS lag ON lag.programme = judged.programme
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'The verdict in force: one row for each programme, season and geography that is judged, as of the last complete day and with what is known now.';

CREATE VIEW IF NOT EXISTS reporting.verdict_changes
(
    event_id       String COMMENT 'Id of the published event: programme/season/geography/n.',
    programme      LowCardinality(String) COMMENT 'Programme id.',
    programme_name String COMMENT 'Name of the programme.',
    season         LowCardinality(String) COMMENT 'Season id.',
    level          LowCardinality(String) COMMENT 'place, system, region or england.',
    code           LowCardinality(String) COMMENT 'Code of the geography.',
    name           String COMMENT 'Name of the geography, as it was then.',
    system_code    String COMMENT 'System (ICB) that the geography is or that most of it lies in, empty above systems.',
    system_name    String COMMENT 'Name of that system.',
    region_code    String COMMENT 'Region that the geography is or that most of it lies in, empty for England.',
    region_name    String COMMENT 'Name of that region.',
    n              UInt32 COMMENT 'Number of the change: the first of this programme, season and geography is 1.',
    verdict        LowCardinality(String) COMMENT 'The verdict from then on: widening, narrowing, steady or not enough data.',
    previous       LowCardinality(String) COMMENT 'The verdict until then. Empty = none.',
    day            Date32 COMMENT 'The last complete day then, whose finding it is.',
    decided_at     DateTime64(3, 'UTC') COMMENT 'When it was decided (UTC).',
    published_at   Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was published as an event (UTC). Null = not yet.',
    fifths         LowCardinality(String) COMMENT 'Quintiles that the verdict uses: national or local.',
    comparator     LowCardinality(String) COMMENT 'What the gap was compared with.',
    against        Nullable(Date32) COMMENT 'The day that it was compared with. Null where there was none.',
    figures_shown  Bool   COMMENT 'False: so few people stand behind the figures that the verdict alone is shown.',
    sentence       String COMMENT 'The verdict and its reason in one sentence, as known then. Where figures are withheld it says so.',
    gap            Nullable(Float64) COMMENT 'Gap as known then, from exact counts, to 0.001 (0.1 percentage point), share of 1. Null where withheld.',
    change         Nullable(Float64) COMMENT 'Change of the gap as known then, to 0.001, share of 1; positive = wider. Null where withheld or not known.',
    change_low     Nullable(Float64) COMMENT 'Low end of its interval, to 0.001, share of 1.',
    change_high    Nullable(Float64) COMMENT 'High end of its interval, to 0.001, share of 1.',
    sii            Nullable(Float64) COMMENT 'Slope index of inequality (logit) as known then, to 0.001, share of 1. Null where withheld or not computed.'
)
SQL SECURITY DEFINER AS
SELECT log.event_id AS event_id, log.programme AS programme, if(about.name = '', log.programme, about.name) AS programme_name, log.season AS season,
       log.level AS level, log.code AS code, log.name AS name,
       area.system_code AS system_code, area.system_name AS system_name, area.region_code AS region_code, area.region_name AS region_name,
       log.n AS n, log.verdict AS verdict, log.previous AS previous, log.day AS day, log.decided_at AS decided_at,
       if(sent.event_id = '', NULL, sent.published_at) AS published_at,
       log.fifths AS fifths, log.comparator AS comparator, nullIf(log.against, toDate32('1970-01-01')) AS against, log.shown AS figures_shown,
       if(log.shown, log.sentence, concat(programme_name, ' in ', log.name, ': ', log.verdict, '. The figures are withheld: too few people stand behind them.')) AS sentence,
       if(log.shown, round(log.gap, 3), NULL) AS gap, if(log.shown, round(log.change, 3), NULL) AS change,
       if(log.shown, round(log.change_low, 3), NULL) AS change_low, if(log.shown, round(log.change_high, 3), NULL) AS change_high,
       if(log.shown, round(log.sii, 3), NULL) AS sii
FROM prevention.verdict_log AS log
LEFT ANY JOIN (SELECT event_id, published_at FROM prevention.verdict_published FINAL) AS sent ON sent.event_id = log.event_id
LEFT ANY JOIN prevention.geographies_now AS area ON area.code = log.code
LEFT ANY JOIN (SELECT * FROM prevention.programmes FINAL) AS about ON about.programme = log.programme
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Every change of a verdict, as known when it was made: one row each, added and never changed. Late records revise the view verdicts, not this.';

CREATE VIEW IF NOT EXISTS reporting.trajectory
(
    programme      LowCardinality(String) COMMENT 'Programme id. Filter on it: that makes queries fast.',
    programme_name String COMMENT 'Name of the programme.',
    season         LowCardinality(String) COMMENT 'Season id.',
    level          LowCardinality(String) COMMENT 'place, system, region or england.',
    code           LowCardinality(String) COMMENT 'Code of the geography.',
    name           String COMMENT 'Name of the geography. The code where no name was loaded.',
    system_code    String COMMENT 'System (ICB) that the geography is or that most of it lies in, empty above systems.',
    system_name    String COMMENT 'Name of that system.',
    quintile       UInt8  COMMENT 'Deprivation quintile of England: 1 = most deprived to 5 = least deprived.',
    quintile_label String COMMENT 'The quintile in words. Core20 is the most deprived national fifth.',
    day            Date32 COMMENT 'Last complete day, from which on it is projected.',
    uptake         Nullable(Float64) COMMENT 'Uptake on that day, share of 1.',
    status         LowCardinality(String) COMMENT 'Whether the target is reached: reached, expected, unlikely this season, or why there is no projection.',
    method         LowCardinality(String) COMMENT 'How it is projected: by the shape of last season, or by a pace that decays.',
    projected      Nullable(Float64) COMMENT 'Projected uptake at the end of the season, share of 1. If people go on as they do: no forecast of what a campaign would do.',
    projected_low  Nullable(Float64) COMMENT 'Low end of its interval, share of 1.',
    projected_high Nullable(Float64) COMMENT 'High end of its interval, share of 1.',
    target         Nullable(Float64) COMMENT 'The programme''s target, share of 1.',
    reached_on     Nullable(Date32) COMMENT 'Day on which the target is or was reached. Null where it is not reached this season.',
    reached_earliest Nullable(Date32) COMMENT 'Earliest such day of the interval.',
    reached_latest Nullable(Date32) COMMENT 'Latest such day of the interval. Null where it may not be reached this season.',
    pace_needed    Nullable(Float64) COMMENT 'Rise of uptake a week that would reach the target by the end of the season, share of 1.',
    people_needed  Nullable(UInt64) COMMENT 'The same in people a week.'
)
SQL SECURITY DEFINER AS
SELECT ahead.programme AS programme, if(about.name = '', ahead.programme, about.name) AS programme_name, ahead.season AS season,
       ahead.level AS level, ahead.code AS code, if(area.name = '', ahead.code, area.name) AS name, area.system_code AS system_code, area.system_name AS system_name,
       ahead.quintile AS quintile, transform(ahead.quintile, [0, 1, 5], ['unknown', '1 (most deprived, Core20)', '5 (least deprived)'], toString(ahead.quintile)) AS quintile_label,
       ahead.day AS day, ahead.uptake AS uptake, ahead.status AS status, ahead.method AS method,
       ahead.end_uptake AS projected, ahead.end_low AS projected_low, ahead.end_high AS projected_high, nullIf(about.target, 0) AS target,
       ahead.reached AS reached_on, ahead.reached_earliest AS reached_earliest, ahead.reached_latest AS reached_latest,
       ahead.pace_needed AS pace_needed, ahead.people_needed AS people_needed
FROM prevention.trajectories AS ahead FINAL
LEFT ANY JOIN prevention.geographies_now AS area ON area.code = ahead.code
LEFT ANY JOIN (SELECT * FROM prevention.programmes FINAL) AS about ON about.programme = ahead.programme
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Where a season is heading: one row for each programme, season, geography and quintile, from the figures shown.';

CREATE VIEW IF NOT EXISTS reporting.interventions
(
    programme      LowCardinality(String) COMMENT 'Programme id.',
    programme_name String COMMENT 'Name of the programme.',
    code           LowCardinality(String) COMMENT 'Code of the geography in which it was done.',
    level          String COMMENT 'Kind of that geography. Empty where the code is not known.',
    name           String COMMENT 'Name of the geography. The code where no name was loaded.',
    system_code    String COMMENT 'System (ICB) that the geography is or that most of it lies in.',
    label          String COMMENT 'What was done, as loaded.',
    from_day       Date32 COMMENT 'First day.',
    to_day         Nullable(Date32) COMMENT 'Last day. Null = no end known.',
    season         String COMMENT 'Season that the effect is looked at in. Empty where none is computed yet.',
    measure        String COMMENT 'What may have changed: weekly pace of quintile 1, or gap. Empty where no effect is computed yet.',
    day            Nullable(Date32) COMMENT 'Last day looked at.',
    effect         Nullable(Float64) COMMENT 'Change here less change in the system''s other places, share of 1. What happened here beyond what happened elsewhere: the cause only if the places would have moved alike without it.',
    low            Nullable(Float64) COMMENT 'Low end of its 95 % interval, share of 1, from how much the other places differ.',
    high           Nullable(Float64) COMMENT 'High end of its 95 % interval, share of 1.',
    here           Nullable(Float64) COMMENT 'Change here, share of 1.',
    elsewhere      Nullable(Float64) COMMENT 'Weighted mean change in the other places, share of 1.',
    places         Nullable(UInt32) COMMENT 'Places compared with.',
    not_computed   String COMMENT 'Why there is no effect, e.g. not enough places. Empty where there is one.'
)
SQL SECURITY DEFINER AS
SELECT loaded.programme AS programme, if(about.name = '', loaded.programme, about.name) AS programme_name,
       loaded.geography AS code, area.level AS level, if(area.name = '', loaded.geography, area.name) AS name, area.system_code AS system_code,
       loaded.label AS label, loaded.from_day AS from_day, nullIf(loaded.to_day, toDate32('2299-12-31')) AS to_day,
       found.season AS season, found.measure AS measure, if(found.measure = '', NULL, found.day) AS day,
       found.effect AS effect, found.low AS low, found.high AS high, found.here AS here, found.elsewhere AS elsewhere,
       if(found.measure = '', NULL, found.places) AS places, if(found.measure = '', 'not looked at yet', found.not_computed) AS not_computed
FROM (SELECT * FROM prevention.interventions
      WHERE (batch, programme) IN (SELECT batch, key FROM prevention.loads_now WHERE kind = 'interventions')) AS loaded
LEFT JOIN (SELECT * FROM prevention.intervention_effects FINAL) AS found
    ON found.programme = loaded.programme AND found.code = loaded.geography AND found.label = loaded.label AND found.from_day = loaded.from_day
LEFT ANY JOIN prevention.geographies_now AS area ON area.code = loaded.geography
LEFT ANY JOIN (SELECT * FROM prevention.programmes FINAL) AS about ON about.programme = loaded.programme
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Loaded interventions and what they did: one row for each intervention and measure, by difference in differences from the figures shown. For annotations, take distinct label, from_day and to_day.';

CREATE VIEW IF NOT EXISTS reporting.history
(
    programme      LowCardinality(String) COMMENT 'Programme id. Need not be one of programmes.yaml.',
    season         LowCardinality(String) COMMENT 'Season, as published.',
    code           LowCardinality(String) COMMENT 'Code of the geography.',
    name           String COMMENT 'Name of the geography. The code where no name was loaded.',
    day            Date32 COMMENT 'Day whose end the figures are of.',
    quintile       UInt8  COMMENT 'Deprivation quintile: 1 = most deprived to 5 = least deprived, 0 = unknown. By the edition that the publisher used.',
    quintile_label String COMMENT 'The quintile in words. Core20 is the most deprived national fifth.',
    covered        UInt64 COMMENT 'People covered, as published.',
    eligible       UInt64 COMMENT 'People eligible, as published.',
    uptake         Nullable(Float64) COMMENT 'Covered of eligible, share of 1 (0.5 = 50 %).'
)
SQL SECURITY DEFINER AS
SELECT past.programme AS programme, past.season AS season, past.geography AS code, if(area.name = '', past.geography, area.name) AS name,
       past.day AS day, past.quintile AS quintile,
       transform(past.quintile, [0, 1, 5], ['unknown', '1 (most deprived, Core20)', '5 (least deprived)'], toString(past.quintile)) AS quintile_label,
       past.covered AS covered, past.eligible AS eligible, past.covered / nullIf(past.eligible, 0) AS uptake
FROM (SELECT * FROM prevention.history
      WHERE (batch, concat(programme, '/', season, '/', geography)) IN (SELECT batch, key FROM prevention.loads_now WHERE kind = 'history')) AS past
LEFT ANY JOIN prevention.geographies_now AS area ON area.code = past.geography
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Published series that were loaded: counts that others published, never mixed with those counted here. Measures of them are in the view gap, level published series.';
