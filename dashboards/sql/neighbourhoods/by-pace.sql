-- Every neighbourhood, slowest first. Those that have reached the target come after, those whose pace is not known last.
SELECT name AS "Neighbourhood", flags AS "Flags", 100 * pace AS "Pace a week", uptake AS "Uptake",
       multiIf(withheld = 'nearly all', 'nearly all (small numbers)',
               withheld = 'no denominator', 'no denominator',
               withheld != '' OR eligible IS NULL, 'withheld (small numbers)',
               uptake IS NULL, 'nobody eligible',
               target IS NULL, 'no target',
               uptake >= target, 'target reached',
               pace IS NULL, 'pace not known (small numbers or no figure four weeks before)',
               pace <= 0, 'not at this pace',
               (target - uptake) / pace > 104, 'in more than two years',
               concat('in ', toString(toUInt32(ceil((target - uptake) / pace))), if((target - uptake) / pace <= 1, ' week', ' weeks'))) AS "Target at this pace"
FROM reporting.neighbourhoods
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
  AND day = (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
  AND (place_code = ${place:sqlstring} OR system_code = ${place:sqlstring})
  AND code != ''
ORDER BY pace IS NULL, ifNull(uptake >= target, false), pace, uptake NULLS LAST, name
