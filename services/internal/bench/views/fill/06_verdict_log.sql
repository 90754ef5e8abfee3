-- Four changes of each verdict.
INSERT INTO prevention.verdict_log
SELECT format('{}/{}/{}/{}', @programme, @newest, code, toString(number + 1)), @programme, @newest, level, code, name, number + 1,
       if(number % 2 = 0, 'steady', 'widening'), if(number % 2 = 0, 'widening', 'steady'), toDate32(@complete) - 40 + number * 10,
       toDateTime64(toDate32(@complete) - 36 + number * 10, 3, 'UTC'), 'national', 'the same day of last season', toDate32(@complete) - 405 + number * 10,
       format('{} in {}: the gap is 9.4 points.', @programme, name), true, 0.094, 0.021, 0.013, 0.029, 0.1, @id
FROM prevention.geographies ARRAY JOIN range(4) AS number WHERE level IN ('place', 'system', 'region', 'england')
