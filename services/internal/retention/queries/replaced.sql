-- Versions that are not over of records whose newest version is: without the newest an earlier one would count. By version, so
-- that a still newer one that comes in meanwhile stays.
SELECT record_id, version.1, version.2 FROM (
    SELECT record_id, groupArrayIf((time, precedence), NOT is_over) AS others, argMax(is_over, (time, precedence)) AS newest_is_over FROM (
        SELECT record_id, time, precedence, toString(programme) = @programme AND toString(season) = @season AND day <= toDate32(@until) AS is_over
        FROM prevention.events
        WHERE record_id IN (SELECT record_id FROM prevention.events WHERE programme = @programme AND season = @season AND day <= toDate32(@until)))
    GROUP BY record_id
    HAVING newest_is_over)
ARRAY JOIN others AS version
