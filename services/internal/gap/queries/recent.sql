SELECT count() FROM prevention.events WHERE programme = @programme AND day > toDate32(@since)
