-- How much of the table has no figure, and why.
SELECT countIf(uptake IS NOT NULL) AS "Shown",
       countIf(withheld IN ('suppressed', 'hidden') OR (withheld = '' AND eligible IS NULL)) AS "Withheld (small numbers)",
       countIf(withheld = 'nearly all') AS "Nearly all covered (small numbers)",
       countIf(withheld = 'no denominator') AS "No denominator"
FROM reporting.ethnicity
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND quintile > 0
  AND day = (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
  AND place_code = if(${place:sqlstring} = ${system:sqlstring}, '', ${place:sqlstring}) AND (place_code != '' OR system_code = ${system:sqlstring})
