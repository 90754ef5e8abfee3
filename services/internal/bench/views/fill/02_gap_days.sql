-- A programme's days with plausible figures: uptake rises by quintile to its own ceiling, one small network in eight has
-- two quintiles withheld. Nothing is computed as services/internal/gap does.
INSERT INTO prevention.gap_days
WITH geographies AS (
         SELECT level, code, arrayJoin(if(level IN ('place', 'system'), ['national', 'local'], ['national'])) AS fifths,
                transform(level, ['pcn', 'place', 'system', 'region'], [8000, 40000, 300000, 1200000], 12000000) AS size
         FROM prevention.geographies WHERE level != 'neighbourhood'),
     seasons AS (SELECT one.1 AS season, toDate32(one.2) AS start, one.3 AS days FROM (SELECT arrayJoin(@seasons) AS one)),
     q -> level = 'pcn' AND q IN (1, 3) AND sipHash64(code) % 8 = 0 AS hidden
SELECT @programme, season, level, code, fifths, start + number AS day, @id, cityHash64(level, code, fifths, day),
       arrayMap((e, q) -> least(e, intDiv(toUInt64(e * (0.5 + 0.05 * q + sipHash64(code, q) % 100 / 1000) * (1 - exp(-(number + 1) / 40))), 5) * 5), eligible, range(0, 6)) AS covered,
       arrayMap(q -> toUInt64(intDiv(if(q = 0, size / 60, size / 6) * (0.5 + sipHash64(code, q, 1) % 1000 / 1000), 5) * 5), range(0, 6)) AS eligible,
       arrayMap((n, q) -> if(hidden(q), NULL, n), covered, range(0, 6)) AS shown_covered,
       arrayMap(n -> toNullable(n), eligible) AS shown_eligible,
       arrayMap(q -> if(hidden(q), 'suppressed', ''), range(0, 6)) AS withheld,
       arraySum(covered) AS all_covered, arraySum(eligible) AS all_eligible,
       arrayMap((c, e) -> c / e, shown_covered, eligible) AS uptake,
       arrayMap((u, e) -> u - 1.96 * sqrt(u * (1 - u) / e), uptake, eligible), arrayMap((u, e) -> u + 1.96 * sqrt(u * (1 - u) / e), uptake, eligible),
       arrayMap((u, q) -> u * 7 / (number + 7), uptake, range(0, 6)),
       arrayMap((c, e) -> accurateCastOrNull(greatest(0, e * 0.9 - c), 'UInt64'), shown_covered, eligible),
       arrayMap((c, e) -> accurateCastOrNull(greatest(0, e * 0.75 - c), 'UInt64'), shown_covered, eligible),
       uptake[6] - uptake[2] AS gap, gap - 0.01, gap + 0.01, uptake[2] / uptake[6] AS ratio, ratio - 0.01, ratio + 0.01,
       gap * 1.1, gap * 1.1 - 0.01, gap * 1.1 + 0.01, ratio * 1.01, ratio * 1.01 - 0.01, ratio * 1.01 + 0.01,
       gap * 1.2, gap * 1.2 - 0.01, gap * 1.2 + 0.01, ratio * 1.02, ratio * 1.02 - 0.01, ratio * 1.02 + 0.01,
       1 + sipHash64(code) % 5, if(isNull(gap), 'gap: quintile 1 is withheld', '')
FROM seasons CROSS JOIN geographies ARRAY JOIN range(days) AS number
WHERE day >= @from
