-- Up to where anything was handled of the newest stream, by the key of the table: it reads one granule.
SELECT stream, sequence FROM prevention.handled ORDER BY stream DESC, sequence DESC LIMIT 1
