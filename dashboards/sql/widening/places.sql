-- Every place of the system and the system itself in every programme, by what to act on first: widening by how much, gaps above
-- the programme's limit by more than chance makes, then the rest by change. The last change that was published stands beside what is known now.
WITH
    ifNull(if(now.fifths = 'local', measured.low_local, measured.low_national) > now.ceiling, false) AS too_wide,
    if(now.fifths = 'local', measured.gap_local, measured.gap_national) AS gap_rounded, -- withheld beside a verdict, it may still be shown by itself
    if(now.day = measured.at, coalesce(now.gap, gap_rounded), coalesce(gap_rounded, now.gap)) AS gap_shown, -- of the day of its interval
    now AS
    (
        SELECT programme, programme_name, season, level, code, name, day, over, verdict, since, fifths, gap, change, needed, ceiling, figures_shown, missing
        FROM reporting.verdicts
        WHERE system_code = ${system:sqlstring} AND level IN ('place', 'system')
    ),
    published AS
    (
        SELECT programme, season, code, argMax(verdict, n) AS last_verdict, argMax(gap, n) AS last_gap, argMax(day, n) AS last_day
        FROM reporting.verdict_changes
        WHERE system_code = ${system:sqlstring} AND isNotNull(published_at)
        GROUP BY programme, season, code
    ),
    measured AS
    (
        SELECT programme, season, code, any(day) AS at, anyIf(short_to_target, fifths = 'national') AS short,
               anyIf(gap_low, fifths = 'national') AS low_national, anyIf(gap_low, fifths = 'local') AS low_local,
               anyIf(gap, fifths = 'national') AS gap_national, anyIf(gap, fifths = 'local') AS gap_local
        FROM reporting.gap
        WHERE day IN (SELECT last_complete_day FROM reporting.seasons WHERE newest)
          AND (programme, season, day) IN (SELECT programme, season, last_complete_day FROM reporting.seasons WHERE newest)
          AND level IN ('place', 'system') AND code IN (SELECT code FROM reporting.geographies WHERE system_code = ${system:sqlstring})
        GROUP BY programme, season, code
    )
SELECT if(now.level = 'system', 'Whole system', now.name) AS "Place", now.programme_name AS "Programme",
       concat(now.verdict, if(now.over, ' (over)', '')) AS "Verdict", formatDateTime(now.since, '%e %b %y') AS "Since",
       round(100 * gap_shown, 1) + 0 AS "Gap", round(100 * now.change, 1) + 0 AS "Change",
       measured.short AS "People short",
       if(published.last_verdict = '', '', concat(published.last_verdict, ifNull(printf(', %.1f points', 100 * published.last_gap), ''), formatDateTime(published.last_day, ' on %e %b'))) AS "As published",
       multiIf(now.verdict = 'widening', 'find out why, now',
               too_wide, printf('above the limit of %.0f', 100 * now.ceiling),
               NOT now.figures_shown, 'change withheld: too few people',
               now.verdict = 'not enough data', now.missing, '') AS "What to know",
       now.programme AS programme, now.season AS season, now.code AS code
FROM now
LEFT JOIN published ON published.programme = now.programme AND published.season = now.season AND published.code = now.code
LEFT JOIN measured ON measured.programme = now.programme AND measured.season = now.season AND measured.code = now.code
ORDER BY now.over, now.verdict = 'widening' DESC, if(now.verdict = 'widening', now.level = 'system', 0) DESC, too_wide DESC,
         if(too_wide AND now.verdict != 'widening', gap_shown - now.ceiling, 0) DESC, now.change DESC NULLS LAST, gap_shown DESC NULLS LAST, now.programme, now.name
SETTINGS join_use_nulls = 0
