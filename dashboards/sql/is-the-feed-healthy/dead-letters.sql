-- Dead letters by reason and field beside what is usual; all together first, always there.
SELECT toString(reason) AS "Reason", if(reason = 'all', 'all', toString(field)) AS "Field", multiIf(last_hour = 0, 'none now', rising, 'rising', usual_per_hour IS NULL, 'not known yet', 'as usual') AS "State",
       last_hour AS "Last hour", last_day AS "Last day", usual_per_hour AS "Usual hour"
FROM reporting.dead_letters_now
ORDER BY reason != 'all', rising DESC, last_hour DESC, last_day DESC, reason, field
