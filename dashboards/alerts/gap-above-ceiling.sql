-- One row for each place and system in each season that is running or ended lately. The number is the gap in percentage
-- points where it lies above the programme's ceiling by more than chance (the low end of its interval does), else 0.
WITH concat(seasons.programme_name, ' in ', areas.name) AS what,
     ifNull(measured.gap_low > about.ceiling, false) AND NOT seasons.over AS above
SELECT seasons.programme AS programme, seasons.programme_name AS programme_name, seasons.season AS season,
       areas.level AS level, areas.code AS code, areas.name AS geography, areas.system_code AS system,
       if(areas.level = 'system', 'critical', 'warning') AS severity,
       ifNull(concat(what, ': ', multiIf(
           seasons.over, concat('season ', seasons.season, ' is over and no longer watched. An alert that ends now ends for that reason, not because the gap has narrowed.'),
           measured.gap IS NULL, concat('the gap is not computed', if(measured.not_computed = '', '', concat(' (', replaceAll(measured.not_computed, '\n', '; '), ')')),
               '. That does not mean that it lies below the ceiling of ', toDecimalString(100 * about.ceiling, 1), ' points.'),
           concat('the gap', if(measured.fifths = 'local', ' between its own fifths', ''), ' was ', toDecimalString(100 * measured.gap, 1), ' points (',
               toDecimalString(100 * measured.gap_low, 1), ' to ', toDecimalString(100 * measured.gap_high, 1), ') on ', toString(measured.day), '; the programme''s ceiling is ',
               toDecimalString(100 * about.ceiling, 1), '.'))), '') AS sentence,
       toFloat64(if(above, round(100 * assumeNotNull(measured.gap), 1), 0)) AS points
FROM (SELECT * FROM reporting.seasons WHERE newest OR NOT over OR ends_on > today() - 100) AS seasons
CROSS JOIN (SELECT * FROM reporting.geographies WHERE level IN ('place', 'system')) AS areas
INNER JOIN reporting.programmes AS about ON about.programme = seasons.programme
LEFT JOIN (SELECT programme, season, code, day, fifths, gap, gap_low, gap_high, not_computed FROM reporting.gap
    WHERE level IN ('place', 'system') AND (programme, season, day) IN (SELECT programme, season, assumeNotNull(last_complete_day) FROM reporting.seasons WHERE NOT over AND last_complete_day IS NOT NULL)
      AND (programme, season, code, fifths) IN (SELECT programme, season, code, fifths FROM reporting.verdicts)) AS measured
    ON measured.programme = seasons.programme AND measured.season = seasons.season AND measured.code = areas.code
ORDER BY programme, season, level, code
