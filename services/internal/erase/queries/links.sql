-- People whose pseudonym is linked with one of the run's.
SELECT DISTINCT other FROM (
    SELECT previous AS other FROM prevention.links WHERE person IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
    UNION ALL
    SELECT person AS other FROM prevention.links WHERE previous IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person'))
WHERE other NOT IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
