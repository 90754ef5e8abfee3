-- One row for all together and one for each quintile on the last complete day. All together has no interval in the views:
-- Wilson's is worked out here, as it is there for quintiles.
WITH
    (SELECT (any(last_complete_day), any(kind), any(over)) FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS about,
    1.959964 AS z,
    (low, high) -> if(isNull(low), '', printf('%.1f to %.1f %%', 100 * low, 100 * high)) AS between_text,
    parts AS
    (
        SELECT quintile, covered, eligible, uptake, uptake_low, uptake_high, pace, short_to_target, short_to_best, withheld
        FROM reporting.uptake
        WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
          AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national' AND day = about.1
        UNION ALL
        SELECT 9, now.covered, now.eligible, now.uptake,
               (now.uptake + z * z / 2 / now.eligible - z * sqrt(now.uptake * (1 - now.uptake) / now.eligible + pow(z / 2 / now.eligible, 2))) / (1 + z * z / now.eligible),
               (now.uptake + z * z / 2 / now.eligible + z * sqrt(now.uptake * (1 - now.uptake) / now.eligible + pow(z / 2 / now.eligible, 2))) / (1 + z * z / now.eligible),
               now.uptake - before.uptake, now.short_to_target, now.short_to_best, if(isNull(now.uptake), 'withheld', '')
        FROM reporting.gap AS now
        LEFT JOIN (SELECT code, uptake FROM reporting.gap
                   WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
                     AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national' AND day = about.1 - 7) AS before
            ON before.code = now.code
        WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
          AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national' AND day = about.1
    )
SELECT transform(parts.quintile, [0, 1, 2, 3, 4, 5], ['Unknown', '1 most deprived', '2', '3', '4', '5 least deprived'], 'All') AS "Deprivation",
       parts.uptake AS "Uptake",
       if(parts.uptake > 1, '', between_text(parts.uptake_low, parts.uptake_high)) AS "95 % interval",
       100 * parts.pace AS "Rise in 7 days",
       parts.eligible AS "Eligible",
       parts.short_to_target AS "Short of target", parts.short_to_best AS "Short of best",
       ahead.projected AS "Likely finish", between_text(ahead.projected_low, ahead.projected_high) AS "Finish, 95 %",
       multiIf(parts.withheld != '', concat('withheld: ', parts.withheld),
               parts.quintile = 0, 'no known area: in no fifth and no gap',
               parts.uptake > 1, 'more covered than eligible: check the eligible',
               parts.quintile = 9, '',
               isNull(parts.short_to_best), 'not computed: too few eligible people',
               about.2 = 'rolling', 'no projection: a rolling programme has no end',
               about.3, 'the season is over',
               ahead.status = '', 'no projection yet',
               ahead.status = 'reached', 'target reached',
               ahead.status = 'expected', concat('target expected', ifNull(concat(' on ', formatDateTime(ahead.reached_on, '%e %b %Y')), '')),
               ahead.status = 'unlikely this season',
                   concat('target unlikely', ifNull(concat(': it takes ', toString(ahead.people_needed), ' a week'), '')),
               concat('no projection: ', ahead.status)) AS "What to expect"
FROM parts
LEFT JOIN (SELECT quintile, projected, projected_low, projected_high, status, reached_on, people_needed FROM reporting.trajectory
           WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
             AND level IN ('place', 'system') AND code = ${place:sqlstring}) AS ahead ON ahead.quintile = parts.quintile
ORDER BY parts.quintile = 0, parts.quintile = 9 DESC, parts.quintile
SETTINGS join_use_nulls = 0
