-- Uptake and gap of a place in the season before, laid beside this season's days.
SELECT day + (SELECT previous_ahead FROM reporting.seasons WHERE programme = @programme AND season = @season) AS beside, uptake_1, uptake_5, gap
FROM reporting.gap
WHERE programme = @programme AND level = 'place' AND code = @place AND fifths = 'national'
  AND season = (SELECT previous_season FROM reporting.seasons WHERE programme = @programme AND season = @season)
ORDER BY beside
