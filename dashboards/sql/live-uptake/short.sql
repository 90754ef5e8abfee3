-- People short of the target on the last complete day, and how many of them are in the most deprived fifth.
WITH n -> reverse(trim(TRAILING ',' FROM replaceRegexpAll(reverse(toString(n)), '\\d{3}', '\\0,'))) AS grouped
SELECT if(countIf(quintile > 0 AND isNotNull(short_to_target)) = 0, NULL, sumIf(short_to_target, quintile > 0)) AS "People short",
       multiIf(count() = 0 OR isNull(any(target)), 'not computed: no target or no counts',
               isNull("People short"), 'withheld: too few people',
               countIf(quintile = 1 AND isNotNull(short_to_target)) = 0, 'not computed for the most deprived fifth',
               concat(grouped(sumIf(short_to_target, quintile = 1)), ' in the most deprived fifth')) AS "note"
FROM reporting.uptake
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
  AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national'
  AND day = (SELECT last_complete_day FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
