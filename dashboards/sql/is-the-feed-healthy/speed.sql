SELECT round(events_per_second, 1) AS "Events a second" FROM reporting.feed_now
