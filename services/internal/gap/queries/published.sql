-- How far a programme and each of its seasons are published. The programme's own row has no season.
SELECT season, max(id) FROM prevention.published_now WHERE programme = @programme GROUP BY season
