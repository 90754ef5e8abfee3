SELECT stream_full AS "Events", dead_letters_full AS "Dead letters" FROM reporting.feed_now
