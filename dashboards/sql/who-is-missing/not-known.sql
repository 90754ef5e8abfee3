-- People covered whose ethnic group is not known (not stated, or not said), as a share of those whose count is shown.
SELECT sumIf(covered, ethnicity IN ('', 'Z')) / nullIf(sum(covered), 0) AS "Ethnic group not known"
FROM reporting.ethnicity
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
  AND day = (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
  AND place_code = if(${place:sqlstring} = ${system:sqlstring}, '', ${place:sqlstring}) AND (place_code != '' OR system_code = ${system:sqlstring})
