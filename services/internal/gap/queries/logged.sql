-- The newest change of each verdict of a season.
SELECT log.level, log.code, max(log.n) AS newest, argMax(log.verdict, log.n) AS verdict, toInt32(argMax(log.day, log.n)) AS on_day,
       argMax(log.fifths, log.n) AS fifths
FROM prevention.verdict_log AS log
WHERE log.programme = @programme AND log.season = @season
GROUP BY log.level, log.code
