(batch, {key}) IN
(
    SELECT batch, key
    FROM (SELECT batch, key, row_number() OVER (PARTITION BY key ORDER BY load DESC) AS nth
          FROM prevention.loads WHERE kind = '{kind}')
    WHERE nth > @kept
)
OR (batch < @oldest AND batch NOT IN (SELECT batch FROM prevention.loads))
