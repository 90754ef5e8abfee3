SELECT waiting AS "Waiting", oldest_waiting_seconds AS "Oldest" FROM reporting.feed_now
