-- Uptake by ethnic group and quintile, furthest behind first. A cell says how far it lies from overall uptake in signs, and in words why it has no figure:
-- Overall uptake is that of the five quintiles together: people of unknown area are in no cell, so they are not in it either.
-- Two triangles down = 10 points or more below, one = 5 to 10 below, triangles up the same above, each only where it is more than chance (95 %, Wilson).
-- Quintile 0 stands for all five; it is left out where one of them is withheld, because those that are shown would not speak for the group.
WITH
    (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS week,
    (SELECT if(countIf(uptake IS NULL) > 0, NULL, sum(covered) / nullIf(sum(eligible), 0)) FROM reporting.uptake
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND level = if(${place:sqlstring} = ${system:sqlstring}, 'system', 'place')
       AND code = ${place:sqlstring} AND fifths = 'national' AND day = week AND quintile > 0) AS overall
SELECT any(label) AS "Ethnic group",
       ifNull(nullIf(anyIf(text, fifth = 1), ''), 'nobody eligible') AS "1 most deprived",
       ifNull(nullIf(anyIf(text, fifth = 2), ''), 'nobody eligible') AS "2",
       ifNull(nullIf(anyIf(text, fifth = 3), ''), 'nobody eligible') AS "3",
       ifNull(nullIf(anyIf(text, fifth = 4), ''), 'nobody eligible') AS "4",
       ifNull(nullIf(anyIf(text, fifth = 5), ''), 'nobody eligible') AS "5 least deprived",
       ifNull(nullIf(anyIf(text, fifth = 0), ''), 'nobody eligible') AS "All five"
FROM
(
    SELECT *, (share + 1.92 / people) / (1 + 3.84 / people) AS middle,
           1.96 * sqrt(greatest(share * (1 - share), 0) / people + 0.96 / people / people) / (1 + 3.84 / people) AS half,
           ifNull(concat(printf('%.1f %%', 100 * share),
                multiIf(isNull(overall) OR share > 1, '',
                        middle + half < overall AND share <= overall - 0.1, ' ▼▼', middle + half < overall AND share <= overall - 0.05, ' ▼',
                        middle - half > overall AND share >= overall + 0.1, ' ▲▲', middle - half > overall AND share >= overall + 0.05, ' ▲', '')), word) AS text
    FROM
    (
        SELECT grp, any(name_of) AS label, fifth, sum(eligible_people) AS people,
               if(countIf(reason != '') > 0, NULL, sum(covered_people) / nullIf(sum(eligible_people), 0)) AS share,
               multiIf(fifth = 0 AND countIf(reason != '') > 0, multiIf(countIf(uptake IS NOT NULL) > 0, 'partly withheld',
                           endsWith(max(reason), 'no denominator'), concat(toString(sum(covered_people)), ' covered, no denominator'), max(reason)),
                       any(reason) != '', any(reason), 'nobody eligible') AS word
        FROM
        (
            SELECT ethnicity AS grp, ethnicity_label AS name_of, quintile, covered AS covered_people, eligible AS eligible_people, uptake,
                   multiIf(withheld = 'no denominator', concat(ifNull(concat(toString(covered), ' covered, '), ''), 'no denominator'),
                           withheld = 'nearly all', 'nearly all (small numbers)',
                           withheld != '' OR eligible IS NULL, 'withheld (small numbers)', '') AS reason
            FROM reporting.ethnicity
            WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND day = week AND quintile > 0
              AND place_code = if(${place:sqlstring} = ${system:sqlstring}, '', ${place:sqlstring}) AND (place_code != '' OR system_code = ${system:sqlstring})
            UNION ALL
            SELECT '*', 'All people', quintile, covered, eligible, uptake, if(uptake IS NULL, 'withheld (small numbers)', '')
            FROM reporting.uptake
            WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
              AND level = if(${place:sqlstring} = ${system:sqlstring}, 'system', 'place') AND code = ${place:sqlstring} AND fifths = 'national' AND day = week AND quintile > 0
        )
        ARRAY JOIN [quintile, 0] AS fifth
        GROUP BY grp, fifth
    )
)
GROUP BY grp
ORDER BY grp != '*', grp IN ('', 'Z'), anyIf(share, fifth = 0) NULLS LAST, min(share) NULLS LAST, any(label)
