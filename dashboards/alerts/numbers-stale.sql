-- Always one row: 1 where the numbers are not of now, else 0. No answer and an error alert as well; the sentence of the last
-- answer stands beside them then, so it must not claim anything about now.
SELECT if(stale, sentence, concat('Read at ', formatDateTime(now('UTC'), '%H:%i on %e %b %Y'), ' (UTC): the numbers were up to date. If this alert is firing, Grafana has not been able to read them since.')) AS sentence,
       toFloat64(stale) AS not_of_now
FROM reporting.feed_now
