-- The gap of each place on the last complete day.
-- Positive: the least deprived do better.
SELECT name AS "Place",
       100 * gap AS "Gap",
       100 * gap_low AS "from",
       100 * gap_high AS "to",
       if(gap IS NULL,
          splitByChar('\n', not_computed)[1],
          'computed') AS "Note"
FROM reporting.gap
WHERE programme = ${programme:sqlstring}
  AND season = ${season:sqlstring}
  AND level = 'place'
  AND system_code = ${system:sqlstring}
  AND fifths = 'national'
  AND day = (SELECT last_complete_day
             FROM reporting.seasons
             WHERE programme = ${programme:sqlstring}
               AND season = ${season:sqlstring})
ORDER BY gap DESC NULLS LAST
