SELECT season, place, id, base, floor FROM prevention.published_now WHERE programme = @programme
