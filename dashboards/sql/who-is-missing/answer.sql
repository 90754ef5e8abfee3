-- In short: the groups furthest below the uptake of all by more than chance, where most people are short of the target, what is withheld.
-- All together are the sum of the cells; there a count that is withheld stands for 4 people, the middle of 1 to 7, covered or (nearly all) not covered,
-- and groups of 12 or fewer, of which nothing is known, are left out.
WITH
    (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS week,
    (SELECT any(name) FROM reporting.geographies WHERE level IN ('place', 'system') AND code = ${place:sqlstring}) AS area,
    (SELECT any(target) FROM reporting.programmes WHERE programme = ${programme:sqlstring}) AS aim
SELECT multiIf(
    cells = 0, concat('No week of this season is complete yet in ', area, '.'),
    no_denominator > 0 AND isNull(share),
    concat('The eligible people of ', area, ' are not known by ethnic group: counts of the covered are shown, with "no denominator" (week to ', trimLeft(formatDateTime(week, '%e %b %Y')), ').',
           if(no_figure = 0, '', concat(' Withheld (small numbers): ', toString(no_figure), ' of ', toString(cells), ' cells.'))),
    concat(if(isNull(share), '', concat('All groups together in ', area, ' have ', printf('%.1f %%', 100 * assumeNotNull(share)), ' (week to ', trimLeft(formatDateTime(week, '%e %b %Y')), '). ')),
           multiIf(isNull(share), '', empty(lowest), 'No group is below it by more than chance. ',
              concat('Furthest below it: ', arrayStringConcat(arrayMap(c -> concat(c.2, ' in quintile ', toString(c.3), printf(' (%.1f %%)', 100 * c.1)), lowest), ', '), '. ')),
           if(empty(short), '', concat('Most people short of the target: ',
              arrayStringConcat(arrayMap(c -> concat(c.2, ' in quintile ', toString(c.3), ' (', toString(-c.1), ' people)'), short), ', '), '. ')),
           if(no_figure = 0, 'Nothing is withheld.',
              concat('Withheld (small numbers): ', toString(no_figure), ' of ', toString(cells), ' cells', if(2 * no_figure > cells, ', so what is shown is not the whole picture.', '.'))))) AS "In short"
FROM
(
    SELECT count() AS cells, countIf(withheld = 'no denominator') AS no_denominator, countIf(uptake IS NULL AND withheld != 'no denominator') AS no_figure, any(overall) AS share,
           arraySlice(arraySort(groupArrayIf((assumeNotNull(uptake), ethnicity_label, quintile), ifNull(high < overall, false) AND ethnicity NOT IN ('', 'Z'))), 1, 3) AS lowest,
           arraySlice(arraySort(groupArrayIf((-toInt64(assumeNotNull(people_short)), ethnicity_label, quintile), ifNull(people_short > 0, false))), 1, 2) AS short
    FROM
    (
        SELECT quintile, ethnicity, ethnicity_label, withheld, uptake, ceil(eligible * aim - covered) AS people_short,
               (uptake + 1.92 / eligible + 1.96 * sqrt(greatest(uptake * (1 - uptake), 0) / eligible + 0.96 / eligible / eligible)) / (1 + 3.84 / eligible) AS high,
               multiIf(eligible IS NULL, NULL, withheld = 'nearly all', greatest(toInt64(eligible) - 4, 0),
                       withheld = 'suppressed', if(eligible > 12, 4, NULL), toInt64(covered)) AS counted,
               sum(counted) OVER () / nullIf(sumIf(eligible, counted IS NOT NULL) OVER (), 0) AS overall
        FROM reporting.ethnicity
        WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND day = week AND quintile > 0
          AND place_code = if(${place:sqlstring} = ${system:sqlstring}, '', ${place:sqlstring}) AND (place_code != '' OR system_code = ${system:sqlstring})
    )
)
