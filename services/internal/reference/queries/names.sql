-- In the order of their loads, so that the newest name of a code comes last.
SELECT names.code, names.name
FROM prevention.names AS names
INNER JOIN (SELECT batch, load, key FROM prevention.loads_now WHERE kind = 'names') AS now
        ON names.batch = now.batch AND concat(names.level, '/', names.relation) = now.key
ORDER BY now.load
