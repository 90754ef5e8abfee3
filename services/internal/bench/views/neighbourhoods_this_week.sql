-- The neighbourhoods of a place in the last complete week, furthest behind first.
SELECT name, uptake, uptake_low, uptake_high, short_to_target, pace, rank, ranked, furthest_behind, flags, withheld
FROM reporting.neighbourhoods
WHERE programme = @programme AND season = @season AND place_code = @place
  AND day = (SELECT last_week FROM reporting.seasons WHERE programme = @programme AND season = @season)
ORDER BY rank
