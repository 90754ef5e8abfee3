SELECT code, name
FROM prevention.names
WHERE (batch, level) IN (SELECT batch, key FROM prevention.loads_now WHERE kind = 'names')
