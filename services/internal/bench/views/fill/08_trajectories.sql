-- Where the newest season is heading.
INSERT INTO prevention.trajectories
SELECT @programme, @newest, level, code, quintile, toDate32(@complete), @id, 'shape of last season', if(quintile > 2, 'expected', 'unlikely this season'),
       0.5 + quintile / 20, 0.6 + quintile / 20, 0.55 + quintile / 20, 0.65 + quintile / 20,
       if(quintile > 2, toDate32(@complete) + 30, NULL), if(quintile > 2, toDate32(@complete) + 20, NULL), NULL, 0.01, 120
FROM prevention.geographies ARRAY JOIN range(6) AS quintile WHERE level IN ('place', 'system', 'region', 'england')
