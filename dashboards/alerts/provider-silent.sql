-- One row for each provider that sent in the last 90 days. The number is for how many hours it has been quiet where that is
-- longer than 99 of 100 of its own pauses and an hour more, else 0.
SELECT if(who.provider = '', 'not said', who.provider) AS provider, who.sentence AS sentence,
       toFloat64(if(who.silent, greatest(who.quiet_hours, 1), 0)) AS hours
FROM reporting.providers AS who
ORDER BY provider
