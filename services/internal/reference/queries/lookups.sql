SELECT relation, code, target, rank, decile
FROM prevention.lookups
WHERE (batch, relation) IN (SELECT batch, key FROM prevention.loads_now WHERE kind = 'lookup')
  AND relation NOT IN (@except)
