-- Cells of a season that are published, and all rows that hold any.
SELECT (SELECT count() FROM prevention.uptake_now WHERE programme = @programme AND season = @season),
       (SELECT count() FROM prevention.uptake_months WHERE programme = @programme AND season = @season)
