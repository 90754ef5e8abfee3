-- The newest load that can change a number of one programme.
SELECT max(load) FROM prevention.loads
WHERE kind IN ('areas', 'practices', 'programmes')
   OR (kind = 'repair' AND key = @programme)
   OR (kind = 'eligible' AND startsWith(key, concat(@programme, '/')))
