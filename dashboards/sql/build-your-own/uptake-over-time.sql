-- Uptake by quintile, day by day, in the newest season. Complete days
-- only: the records of later days are still coming in.
-- The days are those of the dashboard's time range.
SELECT toDateTime(day, 'UTC') AS time,
       uptake_1 AS "1 most deprived",
       uptake_2 AS "2",
       uptake_3 AS "3",
       uptake_4 AS "4",
       uptake_5 AS "5 least deprived"
FROM reporting.gap
WHERE programme = ${programme:sqlstring}
  AND season = (SELECT season FROM reporting.seasons
                WHERE programme = ${programme:sqlstring}
                  AND newest)
  AND level IN ('place', 'system')
  AND code = ${place:sqlstring}
  AND fifths = 'national'
  AND complete
  AND $__timeFilter(day)
ORDER BY time
