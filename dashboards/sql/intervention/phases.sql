-- Before (up to six weeks), while it ran and after (up to four weeks, as far as days are complete): mean weekly rise of the most
-- deprived fifth and change of the gap, here and in the other places. Other places are those whose counts are
-- shown on each of these days on which the place's own are, so that the same places are compared.
WITH
    (SELECT (any(code), any(from_day), any(to_day), count(), any(system_code)) FROM reporting.interventions
     WHERE programme = ${programme:sqlstring} AND concat(code, '|', toString(from_day), '|', label) = ${intervention:sqlstring}) AS chosen,
    (SELECT (any(season), any(starts_on), any(last_complete_day)) FROM reporting.seasons
     WHERE programme = ${programme:sqlstring} AND chosen.2 BETWEEN starts_on AND ifNull(ends_on, toDate32('2299-12-31'))) AS about,
    greatest(chosen.2 - 43, about.2) AS day_0,
    chosen.2 - 1 AS day_1,
    ifNull(about.3, chosen.2) AS known,
    least(ifNull(chosen.3, known), known) AS day_2,
    least(day_2 + 28, known) AS day_3,
    cells AS
    (
        SELECT code, day, code = chosen.1 AS here, sumIf(covered, quintile = 1) AS c1, sumIf(eligible, quintile = 1 AND isNotNull(covered)) AS e1,
               sumIf(covered, quintile = 5) AS c5, sumIf(eligible, quintile = 5 AND isNotNull(covered)) AS e5,
               isNotNull(c1) AND isNotNull(e1) AS shown_1, shown_1 AND isNotNull(c5) AND isNotNull(e5) AS shown
        FROM reporting.uptake
        WHERE programme = ${programme:sqlstring} AND season = about.1 AND level = 'place' AND fifths = 'national'
          AND code IN (SELECT code FROM reporting.geographies WHERE level = 'place' AND system_code = chosen.5)
          AND (code = chosen.1 OR code NOT IN (
              SELECT code FROM reporting.interventions
              WHERE programme = ${programme:sqlstring} AND from_day <= day_3 AND ifNull(to_day, toDate32('2299-12-31')) >= day_0))
          AND day IN (day_0, day_1, day_2, day_3) AND quintile IN (1, 5)
        GROUP BY code, day
    ),
    asked AS
    (
        SELECT *, max(here AND shown_1) OVER (PARTITION BY day) AS ask_1, max(here AND shown AND day >= day_1) OVER (PARTITION BY day) AS ask FROM cells
    ),
    kept AS
    (
        SELECT *, here OR sum(ask_1 AND shown_1) OVER (PARTITION BY code) = uniqExactIf(day, ask_1) OVER () AS in_1,
               here OR sum(ask AND shown) OVER (PARTITION BY code) = uniqExactIf(day, ask) OVER () AS in_both
        FROM asked
    ),
    days AS
    (
        SELECT day, if(here, 1, 2) AS side,
               if(countIf(in_1 AND NOT shown_1) > 0, NULL, 100 * sumIf(c1, in_1) / nullIf(sumIf(e1, in_1), 0)) AS u1,
               if(countIf(in_both AND NOT shown) > 0, NULL,
                  100 * sumIf(c5, in_both) / nullIf(sumIf(e5, in_both), 0) - 100 * sumIf(c1, in_both) / nullIf(sumIf(e1, in_both), 0)) AS apart
        FROM kept
        GROUP BY day, side
    ),
    sides AS
    (
        SELECT side,
               groupArrayIf((u1, apart), day = day_0)[1] AS at_0, groupArrayIf((u1, apart), day = day_1)[1] AS at_1,
               groupArrayIf((u1, apart), day = day_2)[1] AS at_2, groupArrayIf((u1, apart), day = day_3)[1] AS at_3
        FROM days
        GROUP BY side
    )
SELECT line.1 AS "What", line.2 AS "Before", line.3 AS "While it ran", line.4 AS "After", line.5 AS "Change"
FROM
(
    SELECT side, arrayJoin([
        (if(side = 1, 'Rise a week, most deprived fifth, here', 'Rise a week, most deprived fifth, elsewhere'),
         7 * (at_1.1 - at_0.1) / nullIf(dateDiff('day', day_0, day_1), 0), 7 * (at_2.1 - at_1.1) / nullIf(dateDiff('day', day_1, day_2), 0),
         if(dateDiff('day', day_2, day_3) < 7, NULL, 7 * (at_3.1 - at_2.1) / nullIf(dateDiff('day', day_2, day_3), 0)),
         7 * (at_2.1 - at_1.1) / nullIf(dateDiff('day', day_1, day_2), 0) - 7 * (at_1.1 - at_0.1) / nullIf(dateDiff('day', day_0, day_1), 0), 1),
        (if(side = 1, 'Gap at the end, here', 'Gap at the end, elsewhere'),
         at_1.2, at_2.2, if(dateDiff('day', day_2, day_3) < 7, NULL, at_3.2), at_2.2 - at_1.2, 2)
    ]) AS line
    FROM sides
    WHERE day_2 > day_1
)
ORDER BY line.6, side
