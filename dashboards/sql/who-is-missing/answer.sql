-- In short: the groups furthest below overall uptake by more than chance, where most people are short of the target, what is withheld.
WITH
    (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS week,
    (SELECT any(name) FROM reporting.geographies WHERE level IN ('place', 'system') AND code = ${place:sqlstring}) AS area,
    (SELECT any(target) FROM reporting.programmes WHERE programme = ${programme:sqlstring}) AS aim,
    (SELECT if(countIf(uptake IS NULL) > 0, NULL, sum(covered) / nullIf(sum(eligible), 0)) FROM reporting.uptake
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND level = if(${place:sqlstring} = ${system:sqlstring}, 'system', 'place')
       AND code = ${place:sqlstring} AND fifths = 'national' AND day = week AND quintile > 0) AS overall
SELECT multiIf(
    cells = 0, concat('No week of this season is complete yet in ', area, '.'),
    no_denominator = cells, concat('The eligible people of ', area, ' are not known by ethnic group: counts of the covered are shown, and "no denominator".'),
    concat(if(overall IS NULL, '', concat('Uptake in ', area, ' is ', printf('%.1f %%', 100 * assumeNotNull(overall)), ' (week to ', week_text, '). ')),
           if(empty(lowest), 'No group is below it by more than chance. ',
              concat('Furthest below it: ', arrayStringConcat(arrayMap(c -> concat(c.2, ' in quintile ', toString(c.3), ' (', printf('%.1f %%)', 100 * c.1)), lowest), ', '), '. ')),
           if(empty(short), '', concat('Most people short of the target: ',
              arrayStringConcat(arrayMap(c -> concat(c.2, ' in quintile ', toString(c.3), ' (', toString(-c.1), ' people)'), short), ', '), '. ')),
           if(hidden_cells = 0, 'Nothing is withheld.', concat('Withheld (small numbers): ', toString(hidden_cells), ' of ', toString(cells), ' cells', if(2 * hidden_cells > cells, ', so what is shown is not the whole picture.', '.'))))) AS "In short"
FROM
(
    SELECT count() AS cells, countIf(withheld = 'no denominator') AS no_denominator, countIf(uptake IS NULL AND withheld != 'no denominator') AS hidden_cells,
           formatDateTime(week, '%e %b %Y') AS week_text,
           arraySlice(arraySort(groupArrayIf((assumeNotNull(uptake), ethnicity_label, quintile), ifNull(high < overall, false) AND ethnicity NOT IN ('', 'Z'))), 1, 3) AS lowest,
           arraySlice(arraySort(groupArrayIf((-toInt64(assumeNotNull(people_short)), ethnicity_label, quintile), ifNull(people_short > 0, false))), 1, 3) AS short
    FROM
    (
        SELECT quintile, ethnicity, ethnicity_label, withheld, uptake, ceil(greatest(eligible * aim - covered, 0)) AS people_short,
               (uptake + 1.92 / eligible + 1.96 * sqrt(uptake * (1 - uptake) / eligible + 0.96 / eligible / eligible)) / (1 + 3.84 / eligible) AS high
        FROM reporting.ethnicity
        WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND day = week AND quintile > 0
          AND place_code = if(${place:sqlstring} = ${system:sqlstring}, '', ${place:sqlstring}) AND (place_code != '' OR system_code = ${system:sqlstring})
    )
)
