-- How far the published numbers are behind what came in. Without an aggregator nothing is known: then the time since it was heard of.
SELECT greatest(behind_seconds, if(age_seconds > 120, age_seconds, 0)) AS "Numbers behind" FROM reporting.feed_now
