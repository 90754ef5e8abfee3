-- The stored counts of some cells up to an id, and the id they were stored under. cells.level and cells.day are the
-- columns of the key; without the table's name they would be the expressions above, no index would be used, and every
-- row would be read. The cells come as one text: ClickHouse takes half a second over some thousand tuples in a query.
SELECT season, toInt32(day) AS day, place, system, toString(level) AS level, code, quintile, max(cells.id) AS newest,
       argMax(newly, cells.id), argMax(lapsed, cells.id), argMax(moved_in, cells.id), argMax(moved_out, cells.id)
FROM prevention.uptake_cells AS cells
WHERE programme = @programme AND season IN (@seasons) AND cells.id <= @id
  AND (season, place, system, cells.level, code, quintile, cells.day) IN (
      SELECT c.1, c.2, c.3, c.4, c.5, c.6, toDate32(c.7)
      FROM (SELECT arrayJoin(JSONExtract(@cells, 'Array(Tuple(String, String, String, String, String, UInt8, String))')) AS c))
GROUP BY season, cells.day, place, system, level, code, quintile
