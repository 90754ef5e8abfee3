-- Uptake of every day of the season, whatever the time picker says, with the season before laid beside it on the same day of
-- the season. A programme without seasons has its last 365 days, beside the year before.
WITH
    (SELECT (any(starts_on), any(ends_on), any(last_complete_day), any(previous_season), any(previous_ahead)) FROM reporting.seasons
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS about,
    (SELECT any(as_of) FROM reporting.complete_days WHERE programme = ${programme:sqlstring}) AS today_known,
    isNull(about.2) AS rolling,
    if(rolling, today_known - 364, about.1) AS first_day,
    ifNull(about.2, today_known) AS last_day,
    ifNull(about.3, first_day - 1) AS complete_day, -- none yet: all are provisional
    if(rolling, ${season:sqlstring}, about.4) AS before_season,
    if(rolling, 365, ifNull(about.5, 0)) AS before_ahead,
    (SELECT any(target) FROM reporting.programmes WHERE programme = ${programme:sqlstring}) AS aim
SELECT 86400000. * toInt32(shown_day) + 43200000 AS "Day",
       maxIf(u1, NOT past AND shown_day <= about.3) AS "1 most deprived",
       maxIf(u2, NOT past AND shown_day <= about.3) AS "2",
       maxIf(u3, NOT past AND shown_day <= about.3) AS "3",
       maxIf(u4, NOT past AND shown_day <= about.3) AS "4",
       maxIf(u5, NOT past AND shown_day <= about.3) AS "5 least deprived",
       maxIf(u1, NOT past AND shown_day >= complete_day) AS "1 most deprived, provisional",
       maxIf(u2, NOT past AND shown_day >= complete_day) AS "2, provisional",
       maxIf(u3, NOT past AND shown_day >= complete_day) AS "3, provisional",
       maxIf(u4, NOT past AND shown_day >= complete_day) AS "4, provisional",
       maxIf(u5, NOT past AND shown_day >= complete_day) AS "5 least deprived, provisional",
       maxIf(u1, past) AS "1, season before",
       maxIf(u5, past) AS "5, season before",
       aim AS "Target",
       if(countIf(NOT past AND isNotNull(u)) > 0 AND shown_day > complete_day, 1, NULL) AS "Provisional days"
FROM
(
    SELECT first_day + number AS shown_day, false AS past, NULL AS u, NULL AS u1, NULL AS u2, NULL AS u3, NULL AS u4, NULL AS u5
    FROM numbers(ifNull(greatest(0, dateDiff('day', first_day, last_day) + 1), 0))
    UNION ALL
    SELECT day AS shown_day, false AS past, uptake AS u, uptake_1 AS u1, uptake_2 AS u2, uptake_3 AS u3, uptake_4 AS u4, uptake_5 AS u5
    FROM reporting.gap
    WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
      AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national' AND day BETWEEN first_day AND last_day
    UNION ALL
    SELECT day + before_ahead AS shown_day, true AS past, uptake AS u, uptake_1 AS u1, uptake_2 AS u2, uptake_3 AS u3, uptake_4 AS u4, uptake_5 AS u5
    FROM reporting.gap
    WHERE programme = ${programme:sqlstring} AND season = before_season
      AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national'
      AND day BETWEEN first_day - before_ahead AND last_day - before_ahead
)
GROUP BY shown_day
ORDER BY shown_day
