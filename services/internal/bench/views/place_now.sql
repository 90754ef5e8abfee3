-- Uptake by quintile at a place on the last complete day.
SELECT quintile_label, uptake, uptake_low, uptake_high, pace, short_to_best, short_to_target, withheld
FROM reporting.uptake
WHERE programme = @programme AND season = @season AND level = 'place' AND code = @place AND fifths = 'national'
  AND day = (SELECT last_complete_day FROM reporting.seasons WHERE programme = @programme AND season = @season)
ORDER BY quintile
