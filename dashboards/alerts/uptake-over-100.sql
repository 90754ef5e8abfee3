-- One row for each place and system in each season that is running or ended lately. The number is uptake in percent where
-- more people are covered than eligible in one of its quintiles, else 0.
WITH concat(seasons.programme_name, ' in ', areas.name) AS what
SELECT seasons.programme AS programme, seasons.programme_name AS programme_name, seasons.season AS season,
       areas.level AS level, areas.code AS code, areas.name AS geography, areas.system_code AS system,
       multiIf(
           seasons.over, concat(what, ': season ', seasons.season, ' is over and no longer watched. An alert that ends now ends for that reason, not because the counts were put right.'),
           NOT seasons.newest, concat(what, ': season ', seasons.season, ' is no longer the newest and not watched. An alert that ends now ends for that reason, not because the counts were put right.'),
           broken.sentence = '', concat(what, ': no more people are covered than are eligible.'),
           broken.sentence) AS sentence,
       toFloat64(round(100 * broken.figure, 1)) AS percent
FROM (SELECT * FROM reporting.seasons WHERE newest OR NOT over OR ends_on > today() - 100) AS seasons
CROSS JOIN (SELECT * FROM reporting.geographies WHERE level IN ('place', 'system')) AS areas
LEFT JOIN (SELECT * FROM reporting.rule_breaks WHERE rule = 'uptake over 100 %') AS broken
    ON broken.programme = seasons.programme AND broken.season = seasons.season AND broken.code = areas.code
ORDER BY programme, season, level, code
