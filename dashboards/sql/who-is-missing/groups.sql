-- Every ethnic group and quintile: most people short of the target first, what is withheld last. (greatest passes over nulls: 0 for a withheld cell, or without a target.)
SELECT ethnicity_label AS "Ethnic group", transform(quintile, [1, 5], ['1 most deprived', '5 least deprived'], toString(quintile)) AS "Deprivation",
       if(eligible IS NULL OR covered IS NULL OR aim IS NULL, NULL, toUInt64(ceil(greatest(eligible * aim - covered, 0)))) AS "Short of target",
       if(eligible >= covered, eligible - covered, NULL) AS "Not covered", covered AS "Covered", eligible AS "Eligible", uptake AS "Uptake",
       multiIf(withheld = 'no denominator', 'no denominator',
               withheld = 'nearly all', 'nearly all (small numbers)',
               withheld != '' OR eligible IS NULL, 'withheld (small numbers)',
               uptake IS NULL, 'nobody eligible',
               uptake > 1, 'more covered than eligible: check the eligible',
               'shown') AS "Figures"
FROM reporting.ethnicity
CROSS JOIN (SELECT any(target) AS aim FROM reporting.programmes WHERE programme = ${programme:sqlstring}) AS about
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND quintile > 0
  AND day = (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
  AND place_code = if(${place:sqlstring} = ${system:sqlstring}, '', ${place:sqlstring}) AND (place_code != '' OR system_code = ${system:sqlstring})
ORDER BY "Short of target" DESC NULLS LAST, quintile, ethnicity_label
