-- Every provider of the last 90 days, those that are silent first.
SELECT if(provider = '', 'not said', toString(provider)) AS "Provider",
       multiIf(silent, 'silent', usual_pause_hours IS NULL, 'not known yet', 'as usual') AS "State",
       toDateTime64(last_event, 3, 'UTC') AS "Last event", quiet_hours AS "Quiet for", usual_pause_hours AS "Usual at most"
FROM reporting.providers
ORDER BY silent DESC, quiet_hours DESC, provider
