-- Records whose newest version is one of those that are over, and of which there are others that are not: without the
-- newest an earlier one would count.
SELECT record_id FROM (
    SELECT record_id, toString(programme) AS of, toString(season) AS its, day, time, precedence FROM prevention.events
    WHERE record_id IN (SELECT record_id FROM prevention.events WHERE programme = @programme AND season = @season AND day <= toDate32(@until)))
GROUP BY record_id
HAVING argMax(of = @programme AND its = @season AND day <= toDate32(@until), (time, precedence)) AND countIf(NOT (of = @programme AND its = @season AND day <= toDate32(@until))) > 0
