-- Requests to intake that brought the messages after one position, up to another: no more than @most.
SELECT DISTINCT request
FROM prevention.handled
WHERE (stream > @from_stream OR (stream = @from_stream AND sequence > @from_sequence))
  AND (stream < @to_stream OR (stream = @to_stream AND sequence <= @to_sequence))
  AND request != ''
LIMIT @most
