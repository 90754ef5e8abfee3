-- One row for each quintile of each place and system in each season that is running or ended lately. The number is by how
-- many percentage points the quintile is behind the season before on the same day of the season, where that is more than
-- the programme's limit and more than chance, else 0.
WITH concat(seasons.programme_name, ' in ', areas.name, ', quintile ', quintiles.label) AS what
SELECT seasons.programme AS programme, seasons.programme_name AS programme_name, seasons.season AS season,
       areas.level AS level, areas.code AS code, areas.name AS geography, areas.system_code AS system, quintiles.label AS quintile,
       if(areas.level = 'system', 'critical', 'warning') AS severity,
       multiIf(
           seasons.over, concat(what, ': season ', seasons.season, ' is over and no longer watched. An alert that ends now ends for that reason, not because the quintile has caught up.'),
           NOT seasons.newest, concat(what, ': season ', seasons.season, ' is no longer the newest and not watched. An alert that ends now ends for that reason, not because the quintile has caught up.'),
           found.sentence = '', concat(what, ': nothing is known yet.'),
           found.behind IS NULL, concat(found.sentence, ' That does not mean that it has caught up.'),
           found.sentence) AS sentence,
       toFloat64(if(found.is_behind AND NOT seasons.over, greatest(round(100 * ifNull(found.behind, 0), 1), 0.1), 0)) AS points
FROM (SELECT * FROM reporting.seasons WHERE newest OR NOT over OR ends_on > today() - 100) AS seasons
CROSS JOIN (SELECT * FROM reporting.geographies WHERE level IN ('place', 'system')) AS areas
CROSS JOIN (SELECT toUInt8(number + 1) AS quintile, ['1 most deprived', '2', '3', '4', '5 least deprived'][quintile] AS label FROM numbers(5)) AS quintiles
LEFT JOIN (SELECT * FROM reporting.behind WHERE level IN ('place', 'system')) AS found
    ON found.programme = seasons.programme AND found.season = seasons.season AND found.code = areas.code AND found.quintile = quintiles.quintile
ORDER BY programme, season, level, code, quintile
