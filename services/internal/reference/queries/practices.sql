SELECT practice, pcn
FROM prevention.practices
WHERE batch IN (SELECT batch FROM prevention.loads_now WHERE kind = 'practices')
