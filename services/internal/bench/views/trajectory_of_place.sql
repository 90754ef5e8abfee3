-- Where a place is heading, by quintile.
SELECT quintile_label, uptake, status, projected, projected_low, projected_high, reached_on, pace_needed, people_needed, target
FROM reporting.trajectory
WHERE programme = @programme AND season = @season AND level = 'place' AND code = @place
ORDER BY quintile
