-- Verdicts, trajectories and an intervention of a programme's newest season.
INSERT INTO prevention.judged
SELECT @programme, @newest, level, code, toDate32(@complete), 'national', if(sipHash64(code) % 10 = 0, 'widening', 'steady'), toDate32(@complete) - 10, 0, '',
       'the same day of last season', toDate32(@complete) - 365, format('{} in {}: the gap is 9.4 points.', @programme, name), sipHash64(code) % 20 != 0,
       0.094, 0.021, 0.013, 0.029, 0.02, 0.1, @id
FROM prevention.geographies WHERE level IN ('place', 'system', 'region', 'england')
