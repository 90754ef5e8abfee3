-- The stored counts of some cells up to an id, and the id they were stored under. cells.level and cells.day are the
-- columns of the key; without the table's name they would be the expressions above, no index would be used, and every
-- row would be read.
SELECT season, toInt32(day) AS day, place, system, toString(level) AS level, code, quintile, max(cells.id) AS newest,
       argMax(newly, cells.id), argMax(lapsed, cells.id), argMax(moved_in, cells.id), argMax(moved_out, cells.id)
FROM prevention.uptake_cells AS cells
WHERE programme = @programme AND season IN (@seasons) AND cells.id <= @id
  AND (season, place, system, cells.level, code, quintile, cells.day) IN (@cells)
GROUP BY season, cells.day, place, system, level, code, quintile
