-- The gap of every day of the season in percentage points with its 95 % interval, beside the season before on the same day of
-- the season. A programme without seasons has its last 365 days, beside the year before. The fifths are those of the verdict.
WITH
    (SELECT (any(starts_on), any(ends_on), any(last_complete_day), any(previous_season), any(previous_ahead)) FROM reporting.seasons
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS about,
    (SELECT any(as_of) FROM reporting.complete_days WHERE programme = ${programme:sqlstring}) AS today_known,
    (SELECT if(count() = 0, 'national', any(fifths)) FROM reporting.verdicts
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND code = ${place:sqlstring}) AS whose,
    isNull(about.2) AS rolling,
    if(rolling, today_known - 364, about.1) AS first_day,
    ifNull(about.2, today_known) AS last_day,
    ifNull(about.3, first_day - 1) AS complete_day, -- none yet: all are provisional
    if(rolling, ${season:sqlstring}, about.4) AS before_season,
    if(rolling, 365, ifNull(about.5, 0)) AS before_ahead,
    (SELECT 100 * any(ceiling) FROM reporting.programmes WHERE programme = ${programme:sqlstring}) AS limit_points
SELECT 86400000. * toInt32(shown_day) + 43200000 AS "Day",
       100 * maxIf(points, NOT past AND shown_day <= about.3) AS "Gap",
       100 * maxIf(low, NOT past AND shown_day <= about.3) AS "95 % interval, low",
       100 * maxIf(high, NOT past AND shown_day <= about.3) AS "95 % interval, high",
       100 * maxIf(points, NOT past AND shown_day >= complete_day) AS "Gap, provisional",
       100 * maxIf(points, past) AS "Season before",
       limit_points AS "Alert above",
       if(countIf(NOT past AND isNotNull(points)) > 0 AND shown_day > complete_day, 1, NULL) AS "Provisional days"
FROM
(
    SELECT first_day + number AS shown_day, false AS past, NULL AS points, NULL AS low, NULL AS high
    FROM numbers(ifNull(greatest(0, dateDiff('day', first_day, last_day) + 1), 0))
    UNION ALL
    SELECT day AS shown_day, false AS past, gap AS points, gap_low AS low, gap_high AS high
    FROM reporting.gap
    WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
      AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = whose AND day BETWEEN first_day AND last_day
    UNION ALL
    SELECT day + before_ahead AS shown_day, true AS past, gap AS points, NULL AS low, NULL AS high
    FROM reporting.gap
    WHERE programme = ${programme:sqlstring} AND season = before_season
      AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = whose
      AND day BETWEEN first_day - before_ahead AND last_day - before_ahead
)
GROUP BY shown_day
ORDER BY shown_day
