-- People short of the target on the last complete day, and how many of them are in the most deprived fifth. Fifths without a
-- figure are in neither number: the line below says how many, and whether they are withheld or not computed.
WITH
    n -> reverse(trim(TRAILING ',' FROM replaceRegexpAll(reverse(toString(n)), '\\d{3}', '\\0,'))) AS grouped,
    countIf(quintile > 0 AND isNull(short_to_target)) AS absent,
    countIf(quintile > 0 AND isNull(short_to_target) AND (withheld != '' OR isNull(eligible))) AS too_few
SELECT if(absent = 5, NULL, sumIf(short_to_target, quintile > 0)) AS "People short",
       multiIf(count() = 0 OR isNull(any(target)), 'not computed: no target or no counts',
               too_few = 5, 'withheld: too few people',
               absent = 5 AND too_few = 0, 'not computed for any fifth',
               absent = 5, concat('of 5 fifths ', toString(too_few), ' withheld, ', toString(absent - too_few), ' not computed'),
               concat(if(countIf(quintile = 1 AND isNotNull(short_to_target)) = 0, 'most deprived fifth not known',
                         concat(grouped(sumIf(short_to_target, quintile = 1)), ' in the most deprived fifth')),
                      if(absent = 0, '',
                         concat('; without ', toString(absent), if(absent = 1, ' fifth (', ' fifths ('),
                                multiIf(too_few = absent, 'withheld', too_few = 0, 'not computed',
                                        concat(toString(too_few), ' withheld, ', toString(absent - too_few), ' not computed')), ')')))) AS "note"
FROM reporting.uptake
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
  AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national'
  AND day = (SELECT last_complete_day FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
