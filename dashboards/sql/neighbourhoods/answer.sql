-- In short: which neighbourhoods are furthest behind, what the loaded lists say, what is withheld.
-- Where so few are covered or not covered that the count is withheld, lists are compared with 4 people, the middle of 1 to 7: leaving these
-- neighbourhoods out would leave out the best (nearly all are covered) or the worst.
WITH
    (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS week,
    (SELECT any(name) FROM reporting.geographies WHERE level IN ('place', 'system') AND code = ${place:sqlstring}) AS area,
    (SELECT any(uptake) FROM reporting.gap WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
       AND level = if(${place:sqlstring} = ${system:sqlstring}, 'system', 'place') AND code = ${place:sqlstring} AND fifths = 'national' AND day = week) AS overall
SELECT multiIf(
    counted = 0, concat('No week of this season is complete yet in ', area, '.'),
    concat(
        if(isNull(overall), '', concat('Uptake in ', area, ' is ', printf('%.1f %%', 100 * assumeNotNull(overall)), ' (week to ', week_text, '). ')),
        if(empty(worst), 'All neighbourhoods are withheld (small numbers). ',
           concat('Furthest behind: ', arrayStringConcat(arrayMap(n -> concat(n.2, printf(' (%.1f %%)', 100 * n.1)), worst), ', '), '. ')),
        multiIf(flagged = 0, 'None is on a loaded list such as "left behind".',
                flagged_eligible = 0 OR other_eligible = 0, concat(toString(flagged), ' on a loaded list (', list_names, ').'),
                concat('The ', toString(flagged), ' on a loaded list (', list_names, printf(') have %.1f %%', 100 * flagged_covered / flagged_eligible),
                       printf(', the others %.1f %%.', 100 * other_covered / other_eligible))),
        if(no_figure = 0, '', concat(' Withheld (small numbers): ', toString(no_figure), ' of ', toString(counted), '.')))) AS "In short"
FROM
(
    SELECT count() AS counted, countIf(uptake IS NULL) AS no_figure, formatDateTime(week, '%e %b %Y') AS week_text,
           countIf(flags != '') AS flagged, arrayStringConcat(arraySort(groupUniqArrayIf(flags, flags != '')), ', ') AS list_names,
           sumIf(people, flags != '') AS flagged_covered, sumIf(eligible, flags != '' AND people IS NOT NULL) AS flagged_eligible,
           sumIf(people, flags = '') AS other_covered, sumIf(eligible, flags = '' AND people IS NOT NULL) AS other_eligible,
           arraySlice(arraySort(groupArrayIf((assumeNotNull(uptake), name), uptake IS NOT NULL)), 1, 3) AS worst
    FROM
    (
        SELECT name, flags, eligible, uptake,
               multiIf(eligible IS NULL, NULL, withheld = 'nearly all', greatest(toInt64(eligible) - 4, 0), withheld = 'suppressed', least(toInt64(eligible), 4), toInt64(covered)) AS people
        FROM reporting.neighbourhoods
        WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND day = week AND code != ''
          AND (place_code = ${place:sqlstring} OR system_code = ${place:sqlstring})
    )
)
