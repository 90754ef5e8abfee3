-- Everything that is published of a programme.
SELECT season, toInt32(day) AS day, place, system, toString(level) AS level, code, quintile,
       newly, lapsed, moved_in, moved_out
FROM prevention.uptake_now WHERE programme = @programme
