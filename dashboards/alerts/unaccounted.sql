-- Always one row. The number is the messages that are neither handled nor waiting, or those of the last 24 hours that left
-- the stream before anybody read them.
WITH greatest(unaccounted - toInt64(lost), 0) AS missing
SELECT multiIf(missing > 0, concat(toString(missing), ' messages of the stream are neither handled nor waiting to be: the numbers may be too low.'),
               lost_last_day > 0, concat(toString(lost_last_day), ' messages left the stream in the last 24 hours before anybody read them: the numbers are too low until they are sent again.'),
               'Every message of the stream is handled or waits to be.') AS sentence,
       toFloat64(greatest(missing, toInt64(lost_last_day))) AS messages
FROM reporting.feed_now
