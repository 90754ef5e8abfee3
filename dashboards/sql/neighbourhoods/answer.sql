-- In short: which neighbourhoods are furthest behind, what the loaded lists say, what is withheld.
-- Sums are of all neighbourhoods. Where so few are covered or not covered that the count is withheld, it stands for 4 people, the middle of 1 to 7:
-- leaving these neighbourhoods out would leave out the best (nearly all are covered) or the worst.
WITH
    (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS week,
    (SELECT any(name) FROM reporting.geographies WHERE level IN ('place', 'system') AND code = ${place:sqlstring}) AS area
SELECT multiIf(
    counted = 0, concat('No week of this season is complete yet in ', area, '.'),
    concat(
        if(flagged_eligible + other_eligible = 0, '',
           concat('The neighbourhoods of ', area, printf(' together have %.1f %%', 100 * (flagged_covered + other_covered) / (flagged_eligible + other_eligible)), ' (week to ', week_text, '). ')),
        if(empty(worst), 'No neighbourhood has a figure. ',
           concat('Furthest behind: ', arrayStringConcat(arrayMap(n -> concat(n.2, printf(' (%.1f %%)', 100 * n.1)), worst), ', '), '. ')),
        multiIf(flagged = 0, 'None is on a loaded list such as "left behind".',
                flagged_eligible = 0 OR other_eligible = 0, concat(toString(flagged), ' on a loaded list (', list_names, ').'),
                concat('The ', toString(flagged), ' on a loaded list (', list_names, printf(') have %.1f %%', 100 * flagged_covered / flagged_eligible),
                       printf(', the others %.1f %%.', 100 * other_covered / other_eligible))),
        if(small = 0, '', concat(' Withheld (small numbers): ', toString(small), ' of ', toString(counted), '.')),
        if(nobody = 0, '', concat(' Without a denominator: ', toString(nobody), ' of ', toString(counted), '.')))) AS "In short"
FROM
(
    SELECT count() AS counted,
           countIf(withheld IN ('suppressed', 'hidden', 'nearly all') OR (withheld = '' AND eligible IS NULL)) AS small,
           countIf(withheld = 'no denominator' OR (withheld = '' AND eligible = 0)) AS nobody, trimLeft(formatDateTime(week, '%e %b %Y')) AS week_text,
           countIf(flags != '') AS flagged, arrayStringConcat(arraySort(groupUniqArrayIf(flags, flags != '')), ', ') AS list_names,
           ifNull(sumIf(people, flags != ''), 0) AS flagged_covered, ifNull(sumIf(eligible, flags != '' AND people IS NOT NULL), 0) AS flagged_eligible,
           ifNull(sumIf(people, flags = ''), 0) AS other_covered, ifNull(sumIf(eligible, flags = '' AND people IS NOT NULL), 0) AS other_eligible,
           arraySlice(arraySort(groupArrayIf((assumeNotNull(uptake), name), uptake IS NOT NULL)), 1, 3) AS worst
    FROM
    (
        SELECT name, flags, eligible, uptake, withheld,
               multiIf(eligible IS NULL, NULL, withheld = 'nearly all', greatest(toInt64(eligible) - 4, 0), withheld = 'suppressed', if(eligible > 12, 4, NULL), toInt64(covered)) AS people
        FROM reporting.neighbourhoods
        WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND day = week AND code != ''
          AND (place_code = ${place:sqlstring} OR system_code = ${place:sqlstring})
    )
)
