INSERT INTO prevention.loads (load, batch, kind, key) SELECT 1001, 1000, 'flags', 'left behind\tbench' WHERE @programme = @first
