-- Day by day from six weeks before the intervention to four weeks after it, as far as days are complete: the most deprived fifth
-- and the gap in the place and in the system's other places that had no intervention of the programme then. Where none is loaded
-- the places of the system are drawn over the season (its last 90 days where it has none). Other places are the same on every day:
-- those whose counts are shown on four days of five or more, drawn on the days on which all of them are.
WITH
    (SELECT (any(code), any(from_day), any(to_day), count(), any(system_code)) FROM reporting.interventions
     WHERE programme = ${programme:sqlstring} AND concat(code, '|', toString(from_day), '|', label) = ${intervention:sqlstring}) AS chosen,
    (SELECT (any(season), any(starts_on), any(last_complete_day)) FROM reporting.seasons
     WHERE programme = ${programme:sqlstring}
       AND if(chosen.4 = 0, season = ${season:sqlstring}, chosen.2 BETWEEN starts_on AND ifNull(ends_on, toDate32('2299-12-31')))) AS about,
    ifNull(about.3, about.2) AS known,
    multiIf(chosen.4 > 0, greatest(chosen.2 - 42, about.2), about.1 = 'rolling', known - 89, about.2) AS first_day,
    if(isNull(chosen.3), known, least(chosen.3 + 28, known)) AS last_day,
    cells AS
    (
        SELECT code, day, code = chosen.1 AS here, sumIf(covered, quintile = 1) AS c1, sumIf(eligible, quintile = 1 AND isNotNull(covered)) AS e1,
               sumIf(covered, quintile = 5) AS c5, sumIf(eligible, quintile = 5 AND isNotNull(covered)) AS e5,
               isNotNull(c1) AND isNotNull(e1) AS shown_1, shown_1 AND isNotNull(c5) AND isNotNull(e5) AS shown
        FROM reporting.uptake
        WHERE programme = ${programme:sqlstring} AND season = about.1 AND level = 'place' AND fifths = 'national'
          AND code IN (SELECT code FROM reporting.geographies WHERE level = 'place' AND system_code = ${system:sqlstring})
          AND (code = chosen.1 OR code NOT IN (
              SELECT code FROM reporting.interventions
              WHERE programme = ${programme:sqlstring} AND from_day <= last_day AND ifNull(to_day, toDate32('2299-12-31')) >= first_day))
          AND day BETWEEN first_day - 7 AND last_day AND quintile IN (1, 5)
        GROUP BY code, day
    ),
    days AS
    (
        SELECT first_day + number AS day, false AS here, NULL AS u1, NULL AS u5
        FROM numbers(if(chosen.4 > 0, 1, ifNull(greatest(1, dateDiff('day', first_day, last_day) + 1), 1)))
        UNION ALL
        SELECT day, here, if(NOT here AND countIf(NOT shown) > 0, NULL, sum(c1) / nullIf(sum(e1), 0)) AS u1,
               if(NOT here AND countIf(NOT shown) > 0, NULL, sum(c5) / nullIf(sum(e5), 0)) AS u5
        FROM (SELECT *, here OR 5 * sum(shown) OVER (PARTITION BY code) >= 4 * uniqExact(day) OVER () AS kept FROM cells)
        WHERE kept
        GROUP BY day, here
    )
SELECT 86400000. * toInt32(day) + 43200000 AS "Day",
       maxIf(u1, here) AS "Here", maxIf(u1, NOT here) AS "Other places",
       100 * maxIf(rise, here) AS "Here, rise in 7 days", 100 * maxIf(rise, NOT here) AS "Other places, rise in 7 days",
       100 * maxIf(u5 - u1, here) AS "Here, gap", 100 * maxIf(u5 - u1, NOT here) AS "Other places, gap",
       if(chosen.4 > 0 AND day >= chosen.2 AND (isNull(chosen.3) OR day <= chosen.3), 1, NULL) AS "While it ran"
FROM (SELECT day, here, u1, u5, u1 - max(u1) OVER (PARTITION BY here ORDER BY toInt32(day) RANGE BETWEEN 7 PRECEDING AND 7 PRECEDING) AS rise FROM days)
WHERE day >= first_day
GROUP BY day
ORDER BY day
