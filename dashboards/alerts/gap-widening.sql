-- One row for each place and system in each season that is running or ended lately, whatever is known of it. The number is
-- by how many percentage points the gap has widened where that is the verdict in force, else 0.
WITH concat(seasons.programme_name, ' in ', areas.name) AS what
SELECT seasons.programme AS programme, seasons.programme_name AS programme_name, seasons.season AS season,
       areas.level AS level, areas.code AS code, areas.name AS geography, areas.system_code AS system,
       if(areas.level = 'system', 'critical', 'warning') AS severity,
       multiIf(
           seasons.over, concat(what, ': season ', seasons.season, ' is over and no longer watched. An alert that ends now ends for that reason, not because the gap has narrowed.',
               if(judged.sentence = '', '', concat(' Last verdict: ', judged.verdict, '. ', judged.sentence))),
           judged.sentence = '', concat(what, ': no verdict yet. That does not mean that the gap has not widened.'),
           judged.verdict = 'not enough data', concat(judged.sentence, ' The gap is not called widening; that does not mean that it has narrowed.'),
           judged.sentence) AS sentence,
       toFloat64(if(judged.verdict = 'widening' AND NOT seasons.over, greatest(round(100 * ifNull(judged.change, 0), 1), 0.1), 0)) AS points
FROM (SELECT * FROM reporting.seasons WHERE newest OR NOT over OR ends_on > today() - 100) AS seasons
CROSS JOIN (SELECT * FROM reporting.geographies WHERE level IN ('place', 'system')) AS areas
LEFT JOIN (SELECT * FROM reporting.verdicts WHERE level IN ('place', 'system')) AS judged
    ON judged.programme = seasons.programme AND judged.season = seasons.season AND judged.code = areas.code
ORDER BY programme, season, level, code
