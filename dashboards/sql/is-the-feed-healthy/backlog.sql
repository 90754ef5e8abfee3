-- What waits in the stream, and how far the numbers are behind, at worst in each step of time.
WITH toUInt32(greatest(15, intDiv(dateDiff('second', $__fromTime, $__toTime), 400))) AS step
SELECT toDateTime(intDiv(toUnixTimestamp(at), step) * step, 'UTC') AS time,
       toNullable(max(waiting)) AS "Messages waiting", toNullable(max(behind_seconds)) AS "Numbers behind"
FROM reporting.feed
WHERE $__timeFilter(at)
GROUP BY time
ORDER BY time WITH FILL STEP step
