-- The messages from @first to @last that became dead letters, in one row.
SELECT groupUniqArray(sequence) FROM prevention.handled WHERE stream = @stream AND sequence BETWEEN @first AND @last AND outcome = 'dead letter'
