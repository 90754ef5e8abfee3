-- Dead letters by hour and reason, the eight most frequent reasons by name. Every hour has a row: of 0 where there were none.
WITH (SELECT groupArray(often) FROM (SELECT toString(reason) AS often FROM reporting.dead_letters WHERE $__timeFilter(hour) GROUP BY often ORDER BY sum(letters) DESC, often LIMIT 8)) AS named
SELECT time, why, sum(letters) AS "Dead letters"
FROM
(
    SELECT hour AS time, if(has(named, toString(reason)), toString(reason), 'other reasons') AS why, letters
    FROM reporting.dead_letters
    WHERE $__timeFilter(hour)
    UNION ALL
    SELECT toStartOfHour(toDateTime($__toTime, 'UTC')) - 3600 * number, if(empty(named), 'none', named[1]), 0
    FROM numbers(toUInt64(dateDiff('hour', $__fromTime, $__toTime)))
)
GROUP BY time, why
ORDER BY time, why = 'other reasons', why
