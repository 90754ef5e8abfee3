-- The stored counts of some cells up to an id, and the id they were stored under.
SELECT season, toInt32(day) AS day, place, system, toString(level) AS level, code, quintile, max(cells.id) AS newest,
       argMax(newly, cells.id), argMax(lapsed, cells.id), argMax(moved_in, cells.id), argMax(moved_out, cells.id)
FROM prevention.uptake_cells AS cells
WHERE programme = @programme AND season IN (@seasons) AND cells.id <= @id
  AND (season, place, system, level, code, quintile, cells.day) IN (@cells)
GROUP BY season, cells.day, place, system, level, code, quintile
