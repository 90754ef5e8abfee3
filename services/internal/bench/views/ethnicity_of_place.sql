-- Ethnic groups by quintile at a place in the last complete week.
SELECT ethnicity_label, quintile_label, covered, eligible, uptake, withheld
FROM reporting.ethnicity
WHERE programme = @programme AND season = @season AND place_code = @place
  AND day = (SELECT last_week FROM reporting.seasons WHERE programme = @programme AND season = @season)
ORDER BY ethnicity_label, quintile
