-- All places of the country on the last complete day, with people short.
SELECT system_name, name, gap, short_to_best
FROM reporting.gap
WHERE programme = @programme AND season = @season AND level = 'place' AND fifths = 'national'
  AND day = (SELECT last_complete_day FROM reporting.seasons WHERE programme = @programme AND season = @season)
ORDER BY short_to_best DESC
