-- Dead letters by hour and reason; one hour of none where there are none.
SELECT time, why, letters AS "Dead letters"
FROM
(
    SELECT hour AS time, if(field = '' OR field = reason, toString(reason), concat(reason, ' (', field, ')')) AS why, letters
    FROM reporting.dead_letters
    WHERE $__timeFilter(hour)
    UNION ALL
    SELECT toStartOfHour(toDateTime($__toTime, 'UTC')), 'none', 0
    WHERE NOT EXISTS (SELECT 1 FROM reporting.dead_letters WHERE $__timeFilter(hour))
)
ORDER BY time, why
