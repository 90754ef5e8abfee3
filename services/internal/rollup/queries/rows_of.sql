SELECT count() FROM prevention.events WHERE programme = @programme
