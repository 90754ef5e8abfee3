-- The newest load that changes areas or their names.
SELECT max(load) FROM prevention.loads WHERE kind IN ('areas', 'names', 'practices')
