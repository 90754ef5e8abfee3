-- What became of the messages of a stream after @after and up to @to, each once: first of those up to the first that has no
-- row, then of all; and how many of all are before @first.
SELECT countIf(whole), countIf(whole AND outcome = 'stored'), countIf(whole AND outcome = 'dead letter'), countIf(whole AND outcome = 'lost'),
       count(), countIf(outcome = 'stored'), countIf(outcome = 'dead letter'), countIf(outcome = 'lost'), countIf(sequence < @first)
FROM
(
    SELECT sequence, outcome, sequence = @after + row_number() OVER (ORDER BY sequence) AS whole
    FROM prevention.handled FINAL WHERE stream = @stream AND sequence > @after AND sequence <= @to
)
