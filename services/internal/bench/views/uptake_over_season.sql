-- Uptake of a place by quintile, day by day.
SELECT day, quintile_label, uptake, uptake_low, uptake_high, complete, target
FROM reporting.uptake
WHERE programme = @programme AND season = @season AND level = 'place' AND code = @place AND fifths = 'national' AND quintile > 0
ORDER BY day, quintile
