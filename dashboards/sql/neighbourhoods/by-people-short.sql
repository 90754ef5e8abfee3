-- Every neighbourhood, most people short of the target first; what is withheld comes last, with its reason in words.
SELECT name AS "Neighbourhood", place_name AS "Place",
       concat(flags, if(flags != '' AND furthest_behind, ', ', ''), if(furthest_behind, 'furthest tenth', '')) AS "Flags",
       short_to_target AS "People short", uptake AS "Uptake", 100 * pace AS "Pace a week",
       if(rank IS NULL, 'not ranked', concat(toString(rank), ' of ', toString(ranked))) AS "Rank in place",
       multiIf(withheld = 'nearly all', 'nearly all (small numbers)',
               withheld = 'no denominator', 'no denominator',
               withheld != '' OR eligible IS NULL, 'withheld (small numbers)',
               eligible = 0, 'nobody eligible',
               uptake > 1, 'more covered than eligible: check the eligible',
               short_to_target = 0, 'target reached',
               'shown') AS "Figures",
       place_code AS "Place code"
FROM reporting.neighbourhoods
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
  AND day = (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
  AND (place_code = ${place:sqlstring} OR system_code = ${place:sqlstring})
  AND code != ''
ORDER BY short_to_target DESC NULLS LAST, uptake NULLS LAST, name
