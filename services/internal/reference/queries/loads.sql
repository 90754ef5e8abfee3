INSERT INTO prevention.loads (load, batch, kind, key, file, sha256, rows)
