-- Neighbourhoods by what can be said of them.
SELECT countIf(uptake IS NOT NULL) AS "Shown",
       countIf(withheld IN ('suppressed', 'hidden', 'nearly all') OR (withheld = '' AND eligible IS NULL)) AS "Withheld (small numbers)",
       countIf(withheld = 'no denominator' OR (withheld = '' AND eligible = 0)) AS "No denominator",
       countIf(uptake >= target) AS "Target reached",
       countIf(flags != '') AS "On a loaded list"
FROM reporting.neighbourhoods
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
  AND day = (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
  AND (place_code = ${place:sqlstring} OR system_code = ${place:sqlstring})
  AND code != ''
