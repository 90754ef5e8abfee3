-- Every programme at a system, on its last complete day.
SELECT programme_name, season, day, uptake, unknown_area, gap, gap_low, gap_high, sii, short_to_best, target
FROM reporting.gap_now
WHERE level = 'system' AND code = @system
ORDER BY programme_name
