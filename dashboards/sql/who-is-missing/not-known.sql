-- People covered whose ethnic group is not known (not stated, or not said), as a share of those whose count is shown; the note stands below the figure.
SELECT if(countIf(ethnicity IN ('', 'Z')) = 0, 0, sumIf(covered, ethnicity IN ('', 'Z'))) / nullIf(sum(covered), 0) AS "Ethnic group not known",
       if("Ethnic group not known" IS NULL, 'too few people to say', 'of the covered people counted here') AS "note"
FROM reporting.ethnicity
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
  AND day = (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
  AND place_code = if(${place:sqlstring} = ${system:sqlstring}, '', ${place:sqlstring}) AND (place_code != '' OR system_code = ${system:sqlstring})
