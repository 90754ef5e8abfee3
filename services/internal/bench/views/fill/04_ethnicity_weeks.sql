-- A programme's Sundays by quintile and ethnic group of each place.
INSERT INTO prevention.ethnicity_weeks
WITH seasons AS (SELECT one.1 AS season, toDate32(one.2) AS start, one.3 AS days FROM (SELECT arrayJoin(@seasons) AS one)),
     groups AS (SELECT code AS place, system, quintile, ethnicity FROM prevention.geographies
                ARRAY JOIN range(6) AS quintile ARRAY JOIN ['', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'R', 'S', 'Z'] AS ethnicity
                WHERE level = 'place')
SELECT @programme, season, start + number AS day, place, system, quintile, ethnicity, @id,
       if(eligible < 40, NULL, intDiv(toUInt64(eligible * (0.6 + sipHash64(ethnicity, place) % 300 / 1000) * (1 - exp(-(number + 1) / 40))), 5) * 5) AS covered,
       toUInt64(if(ethnicity = 'A', 5000, 5 * (sipHash64(place, ethnicity, quintile) % 100))) AS eligible,
       if(isNull(covered), 'suppressed', '') AS withheld, covered / eligible AS uptake
FROM seasons CROSS JOIN groups ARRAY JOIN range(days) AS number
WHERE toDayOfWeek(start + number) = 7
