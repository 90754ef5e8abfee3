-- What was published when a verdict changed, beside what is known of that day and of the verdict now.
WITH
    said AS
    (
        SELECT programme, programme_name, season, code, if(level = 'system', 'Whole system', name) AS place, n, verdict, day, decided_at, published_at, gap, change, fifths
        FROM reporting.verdict_changes
        WHERE system_code = ${system:sqlstring}
    ),
    known AS
    (
        SELECT programme, season, code, fifths, day, gap
        FROM reporting.gap
        WHERE level IN ('place', 'system') AND code IN (SELECT code FROM reporting.geographies WHERE system_code = ${system:sqlstring})
          AND day IN (SELECT day FROM said)
    ),
    now AS
    (
        SELECT programme, season, code, verdict, gap, change FROM reporting.verdicts WHERE system_code = ${system:sqlstring}
    )
SELECT said.decided_at AS "Said at", said.place AS "Place", said.programme_name AS "Programme", said.verdict AS "Said", formatDateTime(said.day, '%e %b %Y') AS "Of",
       round(100 * said.gap, 1) + 0 AS "Gap as said", round(100 * known.gap, 1) + 0 AS "Same day, as known now", round(100 * said.change, 1) + 0 AS "Change as said",
       now.verdict AS "Verdict now", round(100 * now.gap, 1) + 0 AS "Gap now", round(100 * now.change, 1) + 0 AS "Change now",
       if(isNull(said.published_at), 'not published yet', '') AS "Note"
FROM said
LEFT JOIN known ON known.programme = said.programme AND known.season = said.season AND known.code = said.code AND known.fifths = said.fifths AND known.day = said.day
LEFT JOIN now ON now.programme = said.programme AND now.season = said.season AND now.code = said.code
ORDER BY said.decided_at DESC
LIMIT 200
SETTINGS join_use_nulls = 0
