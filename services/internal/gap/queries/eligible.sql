-- The eligible people of the cells of one level of a season, version by version, as published.
SELECT cells.place, cells.system, cells.code, cells.quintile, toInt32(cells.valid_from) AS from_day, toUInt64(cells.eligible) AS people
FROM prevention.eligible_now AS cells
WHERE cells.programme = @programme AND cells.season = @season AND cells.level = @level
