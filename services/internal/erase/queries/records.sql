-- All versions of records whose newest is one of the run's people's, and of which somebody else holds an earlier one: without
-- the newest the earlier would count. By version, so that a still newer one that comes in meanwhile, for somebody else, stays.
SELECT record_id, time, precedence FROM prevention.records
WHERE record_id IN (
    SELECT record_id FROM prevention.records
    WHERE record_id IN (SELECT record_id FROM prevention.records
                        WHERE person IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person'))
    GROUP BY record_id
    HAVING argMax(person, (time, precedence)) IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
       AND countIf(person NOT IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')) > 0)
