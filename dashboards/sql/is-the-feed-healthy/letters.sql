SELECT last_hour AS "Last 60 minutes", last_day AS "Last 24 hours" FROM reporting.dead_letters_now WHERE reason = 'all'
