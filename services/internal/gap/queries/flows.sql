-- People who gained and lost cover in the cells of one level of a season, day by day, as published.
SELECT cells.place, cells.system, cells.code, cells.quintile, toInt32(cells.day) AS on_day,
       toUInt64(cells.newly) + cells.moved_in AS gained, toUInt64(cells.lapsed) + cells.moved_out AS lost
FROM prevention.uptake_now AS cells
WHERE cells.programme = @programme AND cells.season = @season AND cells.level = @level AND cells.day <= toDate32(@last)
