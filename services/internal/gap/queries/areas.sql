-- The newest load that changes areas, their names, or where the people of a PCN live.
SELECT max(load) FROM prevention.loads WHERE kind IN ('areas', 'names', 'practices', 'eligible')
