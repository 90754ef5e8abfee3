-- Uptake by ethnic group and quintile, furthest behind first. A cell says how far it lies from all groups together in signs, and in words why it
-- has no figure. Two triangles down = 10 points or more below, one = 5 to 10 below, triangles up the same above, each only where it is more than chance
-- (95 %, Wilson). Quintile 0 stands for all five: left out where one of them is withheld, because those that are shown would not speak for the group.
-- All groups (*) are the sum of the cells: known on the same day, and without covered people of unknown group, as each group is. There a count that is
-- withheld stands for 4 people, the middle of 1 to 7, covered or (nearly all) not covered, and groups of 12 or fewer, of which nothing is known, are left out.
SELECT any(label) AS "Ethnic group",
       ifNull(nullIf(anyIf(text, fifth = 1), ''), 'nobody eligible') AS "1 most deprived",
       ifNull(nullIf(anyIf(text, fifth = 2), ''), 'nobody eligible') AS "2",
       ifNull(nullIf(anyIf(text, fifth = 3), ''), 'nobody eligible') AS "3",
       ifNull(nullIf(anyIf(text, fifth = 4), ''), 'nobody eligible') AS "4",
       ifNull(nullIf(anyIf(text, fifth = 5), ''), 'nobody eligible') AS "5 least deprived",
       ifNull(nullIf(anyIf(text, fifth = 0), ''), 'nobody eligible') AS "All five"
FROM
(
    SELECT *, anyIf(share, grp = '*' AND fifth = 0) OVER () AS overall,
           (share + 1.92 / people) / (1 + 3.84 / people) AS middle,
           1.96 * sqrt(greatest(share * (1 - share), 0) / people + 0.96 / people / people) / (1 + 3.84 / people) AS half,
           ifNull(concat(printf('%.1f %%', 100 * share),
                multiIf(isNull(overall) OR share > 1, '',
                        middle + half < overall AND share <= overall - 0.1, ' ▼▼', middle + half < overall AND share <= overall - 0.05, ' ▼',
                        middle - half > overall AND share >= overall + 0.1, ' ▲▲', middle - half > overall AND share >= overall + 0.05, ' ▲', '')), word) AS text
    FROM
    (
        SELECT cell.1 AS grp, cell.2 AS fifth, any(if(grp = '*', 'All groups together', ethnicity_label)) AS label,
               sumIf(eligible_people, counted IS NOT NULL) AS people,
               if(grp != '*' AND countIf(reason != '') > 0, NULL, sum(counted) / nullIf(people, 0)) AS share,
               multiIf(countIf(reason = 'no denominator') = count(), concat(toString(sum(covered_people)), ' covered, no denominator'),
                       countIf(reason = 'no denominator') > 0, 'partly withheld, no denominator',
                       countIf(reason = '') > 0 AND countIf(reason != '') > 0, 'partly withheld', max(reason) != '', max(reason), 'nobody eligible') AS word
        FROM
        (
            SELECT ethnicity, ethnicity_label, quintile, covered AS covered_people, eligible AS eligible_people,
                   multiIf(eligible IS NULL, NULL, withheld = 'nearly all', greatest(toInt64(eligible) - 4, 0),
                           withheld = 'suppressed', if(eligible > 12, 4, NULL), toInt64(covered)) AS counted,
                   multiIf(withheld = 'no denominator', 'no denominator', withheld = 'nearly all', 'nearly all (small numbers)',
                           withheld != '' OR eligible IS NULL, 'withheld (small numbers)', '') AS reason
            FROM reporting.ethnicity
            WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND quintile > 0
              AND day = (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
              AND place_code = if(${place:sqlstring} = ${system:sqlstring}, '', ${place:sqlstring}) AND (place_code != '' OR system_code = ${system:sqlstring})
        )
        ARRAY JOIN [(toString(ethnicity), quintile), (toString(ethnicity), 0), ('*', quintile), ('*', 0)] AS cell
        GROUP BY grp, fifth
    )
)
GROUP BY grp
ORDER BY grp != '*', grp IN ('', 'Z'), anyIf(share, fifth = 0) NULLS LAST, min(share) NULLS LAST, any(label)
