SELECT count() FROM prevention.events WHERE programme = @programme AND season = @season AND day <= toDate32(@until)
