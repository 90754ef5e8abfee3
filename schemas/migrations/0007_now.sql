-- +goose NO TRANSACTION
-- +goose Up

-- Every geography of every programme as it is now. reporting.gap answers this too, but there it is spread over as many places
-- of the disk as there are programmes and days: twenty programmes took more time to look up than to read.

ALTER TABLE prevention.last_days
    ADD COLUMN IF NOT EXISTS covered Nullable(UInt64) COMMENT 'the sum that may be shown, unknown quintile included',
    ADD COLUMN IF NOT EXISTS eligible Nullable(UInt64) COMMENT 'the sum that may be shown, unknown quintile included',
    ADD COLUMN IF NOT EXISTS short_best Nullable(UInt64) COMMENT 'people of quintiles 1 to 5 that are shown',
    ADD COLUMN IF NOT EXISTS short_target Nullable(UInt64) COMMENT 'people of quintiles 1 to 5 that are shown',
    ADD COLUMN IF NOT EXISTS gap Nullable(Float64), ADD COLUMN IF NOT EXISTS gap_low Nullable(Float64), ADD COLUMN IF NOT EXISTS gap_high Nullable(Float64),
    ADD COLUMN IF NOT EXISTS ratio Nullable(Float64), ADD COLUMN IF NOT EXISTS ratio_low Nullable(Float64), ADD COLUMN IF NOT EXISTS ratio_high Nullable(Float64),
    ADD COLUMN IF NOT EXISTS sii Nullable(Float64), ADD COLUMN IF NOT EXISTS sii_low Nullable(Float64), ADD COLUMN IF NOT EXISTS sii_high Nullable(Float64),
    ADD COLUMN IF NOT EXISTS rii Nullable(Float64), ADD COLUMN IF NOT EXISTS rii_low Nullable(Float64), ADD COLUMN IF NOT EXISTS rii_high Nullable(Float64),
    ADD COLUMN IF NOT EXISTS biggest_win UInt8 COMMENT '0 = none',
    ADD COLUMN IF NOT EXISTS not_computed String COMMENT 'measures that are not computed and why, one a line';

CREATE OR REPLACE VIEW prevention.last_days_now AS
SELECT last.programme AS programme, about.name AS programme_name, about.position AS position, last.season AS season,
       last.level AS level, last.code AS code, if(area.name = '', last.code, area.name) AS name,
       area.place_code AS place_code, area.place_name AS place_name, area.system_code AS system_code, area.system_name AS system_name,
       area.region_code AS region_code, area.region_name AS region_name,
       last.day AS day, has(about.seasons, last.season) AND about.ends[indexOf(about.seasons, last.season)] + 42 < lag.as_of AS over,
       if(about.kind = 'rolling', NULL, dateDiff('day', about.starts[indexOf(about.seasons, last.season)], last.day) + 1) AS season_day,
       about.behind AS behind_limit, about.unknown_area AS unknown_area_limit, nullIf(about.target, 0) AS target,
       last.covered AS covered, last.eligible AS eligible, last.all_uptake AS all_uptake, last.unknown_area AS unknown_area, last.uptake AS uptake,
       last.gap AS gap, last.gap_low AS gap_low, last.gap_high AS gap_high, last.ratio AS ratio, last.ratio_low AS ratio_low, last.ratio_high AS ratio_high,
       last.sii AS sii, last.sii_low AS sii_low, last.sii_high AS sii_high, last.rii AS rii, last.rii_low AS rii_low, last.rii_high AS rii_high,
       last.short_best AS short_best, last.short_target AS short_target, last.biggest_win AS biggest_win, last.not_computed AS not_computed,
       last.against AS against, last.expected AS expected, last.chance AS chance, last.why AS why
FROM prevention.last_days AS last FINAL
LEFT ANY JOIN prevention.geographies_now AS area ON area.code = last.code
INNER JOIN (SELECT programme, name, position, kind, seasons, starts, ends, behind, unknown_area, target FROM prevention.programmes FINAL) AS about ON about.programme = last.programme
LEFT ANY JOIN (SELECT programme, as_of FROM prevention.completeness FINAL) AS lag ON lag.programme = last.programme
WHERE (last.programme, last.season, last.id) IN ( -- the season that starts last: a season's snapshot may come after the first one of the next
    SELECT made.programme, argMax(made.season, indexOf(about.seasons, made.season)), argMax(made.id, indexOf(about.seasons, made.season))
    FROM (SELECT programme, season, max(id) AS id FROM prevention.last_days GROUP BY programme, season) AS made
    INNER JOIN (SELECT programme, seasons FROM prevention.programmes FINAL) AS about ON about.programme = made.programme
    GROUP BY made.programme)
SETTINGS join_use_nulls = 0, optimize_move_to_prewhere_if_final = 1;

CREATE VIEW IF NOT EXISTS reporting.gap_now
(
    programme      LowCardinality(String) COMMENT 'Programme id.',
    programme_name String COMMENT 'Name of the programme.',
    position       UInt16 COMMENT 'Place in programmes.yaml, from 1: the order to list programmes in.',
    season         LowCardinality(String) COMMENT 'Newest season; rolling for programmes without seasons.',
    level          LowCardinality(String) COMMENT 'Kind of geography: pcn, place, system, region or england.',
    code           LowCardinality(String) COMMENT 'Code of the geography.',
    name           String COMMENT 'Name of the geography. The code where no name was loaded.',
    place_code     String COMMENT 'Local authority that the geography is or that most of it lies in, empty above places.',
    place_name     String COMMENT 'Name of that local authority.',
    system_code    String COMMENT 'System (ICB) that the geography is or that most of it lies in, empty above systems.',
    system_name    String COMMENT 'Name of that system.',
    region_code    String COMMENT 'Region that the geography is or that most of it lies in, empty for England.',
    region_name    String COMMENT 'Name of that region.',
    day            Date32 COMMENT 'Last complete day of the programme in its newest season.',
    over           Bool   COMMENT 'True when the season is over: the figures are its last ones.',
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
    not_computed   String COMMENT 'Measures that are not computed, and why, one a line. Their columns are null, never 0.',
    short_to_best   Nullable(UInt64) COMMENT 'People of quintiles 1 to 5 who would have to be covered for the uptake of the best quintile. Quintiles that are withheld are left out.',
    short_to_target Nullable(UInt64) COMMENT 'People of quintiles 1 to 5 who would have to be covered for the programme''s target. Quintiles that are withheld are left out.',
    biggest_win    Nullable(UInt8) COMMENT 'Quintile in which one percentage point more would add most people: often one in the middle. Null where it cannot be said.',
    target         Nullable(Float64) COMMENT 'The programme''s target for uptake, share of 1.'
)
SQL SECURITY DEFINER AS
SELECT last.programme AS programme, last.programme_name AS programme_name, last.position AS position, last.season AS season,
       last.level AS level, last.code AS code, last.name AS name, last.place_code AS place_code, last.place_name AS place_name,
       last.system_code AS system_code, last.system_name AS system_name, last.region_code AS region_code, last.region_name AS region_name,
       last.day AS day, CAST(last.over, 'Bool') AS over, last.season_day AS season_day,
       last.covered AS covered, last.eligible AS eligible, last.all_uptake AS uptake, last.unknown_area AS unknown_area,
       last.uptake[2] AS uptake_1, last.uptake[3] AS uptake_2, last.uptake[4] AS uptake_3, last.uptake[5] AS uptake_4, last.uptake[6] AS uptake_5,
       last.gap AS gap, last.gap_low AS gap_low, last.gap_high AS gap_high, last.ratio AS ratio, last.ratio_low AS ratio_low, last.ratio_high AS ratio_high,
       last.sii AS sii, last.sii_low AS sii_low, last.sii_high AS sii_high, last.rii AS rii, last.rii_low AS rii_low, last.rii_high AS rii_high,
       last.not_computed AS not_computed, last.short_best AS short_to_best, last.short_target AS short_to_target,
       nullIf(last.biggest_win, 0) AS biggest_win, last.target AS target
FROM prevention.last_days_now AS last
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'The gap and overall uptake as they are now, by quintiles of England: one row for each programme and geography, on the last complete day of the newest season. The same figures as in the view gap, quick to ask for all programmes or places at once.';
