-- The neighbourhoods of a place, week by week.
SELECT day, name, uptake
FROM reporting.neighbourhoods
WHERE programme = @programme AND season = @season AND place_code = @place
ORDER BY day, name
