-- Uptake of each quintile on the last complete day: one column each, so that each has its colour.
SELECT uptake_1 AS "1 most deprived", uptake_2 AS "2", uptake_3 AS "3", uptake_4 AS "4", uptake_5 AS "5 least deprived", uptake AS "All"
FROM reporting.gap
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
  AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national'
  AND day = (SELECT last_complete_day FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
