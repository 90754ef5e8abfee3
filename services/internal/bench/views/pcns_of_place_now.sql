-- The primary care networks of a place on the last complete day.
SELECT name, covered, eligible, uptake, uptake_1, uptake_5, gap, not_computed
FROM reporting.gap
WHERE programme = @programme AND season = @season AND level = 'pcn' AND fifths = 'national'
  AND code IN (SELECT code FROM reporting.geographies WHERE level = 'pcn' AND place_code = @place)
  AND day = (SELECT last_complete_day FROM reporting.seasons WHERE programme = @programme AND season = @season)
ORDER BY name
