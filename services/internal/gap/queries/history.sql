-- The published series in force.
SELECT history.programme, history.season, history.geography, toInt32(history.day) AS on_day, history.quintile, history.covered, history.eligible
FROM prevention.history AS history
WHERE (history.batch, concat(history.programme, '/', history.season, '/', history.geography)) IN (SELECT batch, key FROM prevention.loads_now WHERE kind = 'history')
ORDER BY history.programme, history.season, history.geography, history.day, history.quintile
