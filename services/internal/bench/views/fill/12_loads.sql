INSERT INTO prevention.loads (load, batch, kind, key) SELECT 1000, cityHash64(@programme), 'interventions', @programme
