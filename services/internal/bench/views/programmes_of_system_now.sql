-- Every programme at a system, on its last complete day.
SELECT programme_name, season, day, uptake, unknown_area, gap, gap_low, gap_high, sii, short_to_best, target
FROM reporting.gap
WHERE (programme, season, day) IN (SELECT programme, season, assumeNotNull(last_complete_day) FROM reporting.seasons WHERE newest AND last_complete_day IS NOT NULL)
  AND level = 'system' AND code = @system AND fifths = 'national'
ORDER BY programme_name
