-- What became of the messages of all other streams, each once.
SELECT countIf(outcome = 'stored'), countIf(outcome = 'dead letter'), countIf(outcome = 'lost')
FROM
(
    SELECT min(handled.outcome) AS outcome FROM prevention.handled AS handled WHERE stream != @stream GROUP BY stream, sequence
    SETTINGS optimize_aggregation_in_order = 1
)
