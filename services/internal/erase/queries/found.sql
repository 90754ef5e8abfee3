-- How many rows there are of a run's people and records, and in which programmes.
SELECT sum(n), arraySort(arrayDistinct(groupArrayArray(programmes))) FROM (
    SELECT count() AS n, groupUniqArray(toString(programme)) AS programmes FROM prevention.events
    WHERE person IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
       OR previous IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
       OR (record_id, time, precedence) IN (SELECT id, time, precedence FROM prevention.removing WHERE run = @run AND kind = 'record')
    UNION ALL
    SELECT count(), groupUniqArray(toString(programme)) FROM prevention.records
    WHERE person IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
       OR (record_id, time, precedence) IN (SELECT id, time, precedence FROM prevention.removing WHERE run = @run AND kind = 'record')
    UNION ALL
    SELECT count(), [] FROM prevention.links
    WHERE person IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
       OR previous IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person'))
