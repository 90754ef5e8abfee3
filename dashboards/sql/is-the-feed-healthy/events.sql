-- Events handled per second over time; no aggregator, no line.
WITH toUInt32(greatest(15, intDiv(dateDiff('second', $__fromTime, $__toTime), 400))) AS step
SELECT toDateTime(intDiv(toUnixTimestamp(at), step) * step, 'UTC') AS time, toNullable(avg(events_per_second)) AS "Events a second"
FROM reporting.feed
WHERE $__timeFilter(at)
GROUP BY time
ORDER BY time WITH FILL STEP step
