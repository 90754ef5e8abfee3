-- How many verdicts of each kind there are in the system, over all programmes. Too wide: above the programme's limit by more than
-- chance makes, as the alert has it.
WITH measured AS
    (
        SELECT programme, season, code, fifths, gap_low
        FROM reporting.gap
        WHERE day IN (SELECT last_complete_day FROM reporting.seasons WHERE newest)
          AND (programme, season, day) IN (SELECT programme, season, last_complete_day FROM reporting.seasons WHERE newest)
          AND level IN ('place', 'system') AND code IN (SELECT code FROM reporting.geographies WHERE system_code = ${system:sqlstring})
    )
SELECT countIf(now.verdict = 'widening') AS "Widening", countIf(measured.gap_low > now.ceiling) AS "Too wide", countIf(now.verdict = 'narrowing') AS "Narrowing",
       countIf(now.verdict = 'steady') AS "Steady", countIf(now.verdict = 'not enough data') AS "Not enough data"
FROM reporting.verdicts AS now
LEFT JOIN measured ON measured.programme = now.programme AND measured.season = now.season AND measured.code = now.code AND toString(measured.fifths) = now.fifths
WHERE now.system_code = ${system:sqlstring} AND now.level IN ('place', 'system') AND NOT now.over
SETTINGS join_use_nulls = 1
