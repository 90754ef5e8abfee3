-- Cells of a season: those that are published, and all.
SELECT (SELECT count() FROM prevention.uptake_now WHERE programme = @programme AND season = @season),
       (SELECT count() FROM prevention.uptake_months WHERE programme = @programme AND season = @season)
