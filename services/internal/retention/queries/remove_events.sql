ALTER TABLE prevention.events DELETE WHERE programme = @programme AND season = @season AND day <= toDate32(@until) SETTINGS mutations_sync = 2
