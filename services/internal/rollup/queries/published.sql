SELECT season, place, id, base FROM prevention.published_now WHERE programme = @programme
