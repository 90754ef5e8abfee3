-- Codes of the place that widens in the demo, and its programme's newest season.
SELECT areas.code AS code, areas.system_code AS system, seasons.season AS season
FROM reporting.geographies AS areas
CROSS JOIN reporting.seasons AS seasons
WHERE areas.level = 'place' AND areas.name = ${place:sqlstring} AND seasons.newest AND seasons.programme = ${programme:sqlstring}
