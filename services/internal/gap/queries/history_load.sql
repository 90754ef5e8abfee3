-- The newest load of a published series.
SELECT max(load) FROM prevention.loads WHERE kind = 'history'
