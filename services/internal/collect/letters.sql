-- The messages from @first to @last that became dead letters, and when, in one row.
SELECT groupArray(sequence), groupArray(at)
FROM
(
    SELECT sequence, max(handled_at) AS at
    FROM prevention.handled WHERE stream = @stream AND sequence BETWEEN @first AND @last AND outcome = 'dead letter'
    GROUP BY sequence
)
