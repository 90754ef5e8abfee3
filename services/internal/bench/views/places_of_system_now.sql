-- All places of a system on the last complete day.
SELECT name, uptake, uptake_1, uptake_5, gap, gap_low, gap_high, sii, short_to_best, short_to_target, biggest_win
FROM reporting.gap
WHERE programme = @programme AND season = @season AND level = 'place' AND fifths = 'national'
  AND code IN (SELECT code FROM reporting.geographies WHERE level = 'place' AND system_code = @system)
  AND day = (SELECT last_complete_day FROM reporting.seasons WHERE programme = @programme AND season = @season)
ORDER BY gap DESC
