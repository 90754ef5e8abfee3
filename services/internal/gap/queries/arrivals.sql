-- When the events of the last weeks came in. Only first versions tell; of a large programme a part of the records is
-- taken. An event made before its stream existed was loaded afterwards: its delay is taken from when it was made.
SELECT lsoa, toInt32(min_day) AS occurred, toInt32(arrived) AS received, toInt64(count()) AS events
FROM (
    SELECT argMin(events.lsoa, (events.stream, events.sequence)) AS lsoa, argMin(events.day, (events.stream, events.sequence)) AS min_day,
           argMin(if(events.time < fromUnixTimestamp64Nano(toInt64(events.stream)), toDate32(events.time, 'Europe/London'), toDate32(events.received, 'Europe/London')),
                  (events.stream, events.sequence)) AS arrived
    FROM prevention.events AS events
    WHERE events.programme = @programme AND events.day > toDate32(@since) AND cityHash64(events.record_id) % @of = 0
    GROUP BY events.record_id
    HAVING argMin(events.status, (events.stream, events.sequence)) = 'completed')
GROUP BY lsoa, occurred, received
