-- The next changes of verdict of each programme that JetStream has not confirmed, in the order in which they are announced: as
-- they were decided, and by their number where the clocks of two aggregators disagree. Should a change stand in the log
-- twice, the earlier row is the change: so all announcers say the same.
SELECT ordered.event_id, ordered.programme, ordered.season, ordered.level, ordered.code, ordered.name, ordered.n,
       ordered.verdict, ordered.previous, toInt32(ordered.day) AS on_day, ordered.decided_at, ordered.fifths, ordered.comparator,
       toInt32(ordered.against) AS against_day, ordered.sentence, ordered.shown, ordered.gap, ordered.change, ordered.change_low,
       ordered.change_high, ordered.sii, count() OVER () AS total
FROM
(
    SELECT *, max(decided_at) OVER (PARTITION BY programme, season, level, code ORDER BY n) AS turn
    FROM
    (
        SELECT * FROM prevention.verdict_log
        WHERE event_id NOT IN (SELECT event_id FROM prevention.verdict_published)
        ORDER BY decided_at, id
        LIMIT 1 BY event_id
    )
) AS ordered
ORDER BY ordered.programme, ordered.turn, ordered.season, ordered.level, ordered.code, ordered.n
LIMIT @most BY ordered.programme
