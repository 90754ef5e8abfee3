-- The eligible people of a programme, as published.
SELECT season, toInt32(valid_from) AS day, place, system, toString(level) AS level, code, quintile, eligible
FROM prevention.eligible_now WHERE programme = @programme
