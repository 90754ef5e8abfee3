-- The stored counts of some cells up to an id, and the id they were stored under. cells.level is the column of the key;
-- without the table's name it would be the expression above, no index would be used, and every row would be read. The
-- cells come as one text: ClickHouse takes half a second over some thousand tuples in a query.
WITH asked AS
(
    SELECT c.1 AS season, c.2 AS place, c.3 AS system, c.4 AS level, c.5 AS code, c.6 AS quintile, toDate32(c.7) AS day
    FROM (SELECT arrayJoin(JSONExtract(@cells, 'Array(Tuple(String, String, String, String, String, UInt8, String))')) AS c)
)
SELECT season, toInt32(addDays(month, of_month - 1)) AS day, place, system, toString(cells.level) AS level, code, quintile, max(cells.id) AS newest,
       argMax(newly, cells.id), argMax(lapsed, cells.id), argMax(moved_in, cells.id), argMax(moved_out, cells.id)
FROM prevention.uptake_months AS cells
ARRAY JOIN days.day AS of_month, days.newly AS newly, days.lapsed AS lapsed, days.moved_in AS moved_in, days.moved_out AS moved_out
WHERE programme = @programme AND season IN (@seasons) AND cells.id <= @id
  AND (season, place, system, cells.level, code, quintile, month) IN
      (SELECT season, place, system, level, code, quintile, toDate32(toStartOfMonth(day)) FROM asked)
  AND (season, place, system, cells.level, code, quintile, addDays(month, of_month - 1)) IN
      (SELECT season, place, system, level, code, quintile, day FROM asked)
GROUP BY season, month, of_month, place, system, cells.level, code, quintile
