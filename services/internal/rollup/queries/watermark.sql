-- The last sequence of a stream up to which every message is handled.
SELECT max(sequence) FROM (
    SELECT sequence, row_number() OVER (ORDER BY sequence) AS nth
    FROM (SELECT DISTINCT sequence FROM prevention.handled WHERE stream = @stream AND sequence > @after))
WHERE sequence = @after + nth
