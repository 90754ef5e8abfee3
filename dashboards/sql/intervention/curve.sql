-- Day by day from six weeks before the intervention to four weeks after it, as far as days are complete: the most deprived fifth
-- and the gap in the place and in the system's other places that had no intervention of the programme then.
WITH
    (SELECT (any(code), any(from_day), any(to_day), count(), any(system_code)) FROM reporting.interventions
     WHERE programme = ${programme:sqlstring} AND concat(code, '|', toString(from_day), '|', label) = ${intervention:sqlstring}) AS chosen,
    (SELECT (any(season), any(starts_on), any(last_complete_day)) FROM reporting.seasons
     WHERE programme = ${programme:sqlstring} AND chosen.2 BETWEEN starts_on AND ifNull(ends_on, toDate32('2299-12-31'))) AS about,
    greatest(chosen.2 - 42, about.2) AS first_day,
    ifNull(least(ifNull(chosen.3, toDate32('2299-12-31')) + 28, about.3), chosen.2) AS last_day,
    others AS
    (
        SELECT code FROM reporting.geographies
        WHERE level = 'place' AND system_code = chosen.5 AND code != chosen.1
          AND code NOT IN (SELECT code FROM reporting.interventions
                           WHERE programme = ${programme:sqlstring} AND from_day <= last_day AND ifNull(to_day, toDate32('2299-12-31')) >= first_day)
    ),
    days AS
    (
        SELECT day, code = chosen.1 AS here, sumIf(covered, quintile = 1) / nullIf(sumIf(eligible, quintile = 1 AND isNotNull(covered)), 0) AS u1,
               sumIf(covered, quintile = 5) / nullIf(sumIf(eligible, quintile = 5 AND isNotNull(covered)), 0) AS u5
        FROM reporting.uptake
        WHERE programme = ${programme:sqlstring} AND season = about.1 AND level = 'place' AND fifths = 'national'
          AND (code = chosen.1 OR code IN (SELECT code FROM others)) AND day BETWEEN first_day - 7 AND last_day AND quintile IN (1, 5)
        GROUP BY day, here
    )
SELECT 86400000. * toInt32(today.day) + 43200000 AS "Day",
       maxIf(today.u1, today.here) AS "Here", maxIf(today.u1, NOT today.here) AS "Other places",
       100 * maxIf(today.u1 - week_ago.u1, today.here AND week_ago.u1 IS NOT NULL) AS "Here, rise in 7 days",
       100 * maxIf(today.u1 - week_ago.u1, NOT today.here AND week_ago.u1 IS NOT NULL) AS "Other places, rise in 7 days",
       100 * maxIf(today.u5 - today.u1, today.here) AS "Here, gap", 100 * maxIf(today.u5 - today.u1, NOT today.here) AS "Other places, gap",
       if(today.day >= chosen.2 AND (isNull(chosen.3) OR today.day <= chosen.3), 1, NULL) AS "While it ran"
FROM days AS today
LEFT JOIN days AS week_ago ON week_ago.day = today.day - 7 AND week_ago.here = today.here
WHERE today.day >= first_day
GROUP BY today.day
ORDER BY today.day
SETTINGS join_use_nulls = 1
