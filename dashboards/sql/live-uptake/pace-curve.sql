-- Rise of uptake over the seven days up to each complete day, in percentage points, by quintile. A programme without seasons
-- has its last 365 days.
WITH
    (SELECT (any(starts_on), any(ends_on), any(last_complete_day)) FROM reporting.seasons
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS about,
    ifNull(about.3, about.1) AS last_day,
    if(isNull(about.2), last_day - 364, about.1) AS first_day
SELECT 86400000. * toInt32(shown_day) + 43200000 AS "Day",
       100 * maxIf(rise, fifth = 1) AS "1 most deprived", 100 * maxIf(rise, fifth = 2) AS "2", 100 * maxIf(rise, fifth = 3) AS "3",
       100 * maxIf(rise, fifth = 4) AS "4", 100 * maxIf(rise, fifth = 5) AS "5 least deprived"
FROM
(
    SELECT first_day + number AS shown_day, 0 AS fifth, NULL AS rise
    FROM numbers(ifNull(greatest(0, dateDiff('day', first_day, last_day) + 1), 0))
    UNION ALL
    SELECT day AS shown_day, quintile AS fifth, pace AS rise
    FROM reporting.uptake
    WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
      AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national' AND day BETWEEN first_day AND last_day
)
GROUP BY shown_day
ORDER BY shown_day
