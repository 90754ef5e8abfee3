SELECT DISTINCT stream FROM prevention.handled ORDER BY stream
