-- When the first message after a sequence was handled, by the key of the table: it reads one granule.
SELECT handled_at FROM prevention.handled WHERE stream = @stream AND sequence > @after ORDER BY stream, sequence LIMIT 1
