-- What would be read of a programme if all its slices were published at an id: also what a step that was cut off before
-- it published has left behind.
SELECT season, toInt32(day) AS day, place, system, toString(cells.level) AS level, code, quintile,
       argMax(cells.newly, cells.id) AS newly, argMax(cells.lapsed, cells.id) AS lapsed,
       argMax(cells.moved_in, cells.id) AS moved_in, argMax(cells.moved_out, cells.id) AS moved_out
FROM prevention.uptake_cells AS cells
INNER JOIN (SELECT season, place, base FROM prevention.published_now WHERE programme = @programme AND season != '') AS published
USING (season, place)
WHERE cells.programme = @programme AND cells.id >= published.base AND cells.id <= @id
GROUP BY season, cells.day, place, system, cells.level, code, quintile
HAVING newly + lapsed + moved_in + moved_out > 0
