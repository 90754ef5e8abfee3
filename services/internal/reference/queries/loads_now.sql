SELECT kind, key, load, batch, sha256, rows FROM prevention.loads_now
