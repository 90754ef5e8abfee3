SELECT unaccounted AS "Unaccounted", lost_last_day AS "Lost in 24 hours" FROM reporting.feed_now
