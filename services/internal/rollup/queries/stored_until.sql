-- What would be read of a programme if all its slices were published at an id: also what a step that was cut off before
-- it published has left behind.
SELECT season, toInt32(addDays(month, of_month - 1)) AS day, place, system, toString(cells.level) AS level, code, quintile,
       argMax(newly_on, cells.id) AS newly, argMax(lapsed_on, cells.id) AS lapsed,
       argMax(moved_in_on, cells.id) AS moved_in, argMax(moved_out_on, cells.id) AS moved_out
FROM prevention.uptake_months AS cells
ARRAY JOIN days.day AS of_month, days.newly AS newly_on, days.lapsed AS lapsed_on, days.moved_in AS moved_in_on, days.moved_out AS moved_out_on
INNER JOIN (SELECT season, place, base FROM prevention.published_now WHERE programme = @programme AND season != '') AS published
USING (season, place)
WHERE cells.programme = @programme AND cells.id >= published.base AND cells.id <= @id
GROUP BY season, month, of_month, place, system, cells.level, code, quintile
HAVING newly + lapsed + moved_in + moved_out > 0
