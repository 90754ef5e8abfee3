-- The newest load that changes the counts of all programmes (programme empty) or of one; under * the programme file.
SELECT multiIf(kind = 'eligible', splitByChar('/', key)[1], kind = 'repair', key, '') AS programme,
       max(load) AS generation
FROM prevention.loads
WHERE kind IN ('areas', 'practices', 'programmes', 'eligible', 'repair')
GROUP BY programme
UNION ALL
SELECT '*', max(load) FROM prevention.loads WHERE kind = 'programmes'
