-- A programme's Sundays, neighbourhood by neighbourhood.
INSERT INTO prevention.neighbourhood_weeks
WITH seasons AS (SELECT one.1 AS season, toDate32(one.2) AS start, one.3 AS days FROM (SELECT arrayJoin(@seasons) AS one)),
     neighbourhoods AS (SELECT code, place, system, row_number() OVER (PARTITION BY place ORDER BY code) AS rank, count() OVER (PARTITION BY place) AS ranked
                        FROM prevention.geographies WHERE level = 'neighbourhood')
SELECT @programme, season, start + number AS day, place, system, code, @id,
       if(sipHash64(code, season) % 50 = 0, NULL, intDiv(toUInt64(eligible * (0.6 + sipHash64(code) % 300 / 1000) * (1 - exp(-(number + 1) / 40))), 5) * 5) AS covered,
       intDiv(1200 + sipHash64(code) % 600, 5) * 5 AS eligible, if(isNull(covered), 'suppressed', '') AS withheld,
       covered / eligible AS uptake, uptake - 0.03, uptake + 0.03, accurateCastOrNull(greatest(0, eligible * 0.75 - covered), 'UInt64'),
       uptake * 7 / (number + 7), rank, ranked
FROM seasons CROSS JOIN neighbourhoods ARRAY JOIN range(days) AS number
WHERE toDayOfWeek(start + number) = 7
