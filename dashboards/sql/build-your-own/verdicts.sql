-- What the verdicts say now: the system and its places.
SELECT name AS "Where",
       verdict AS "Verdict",
       sentence AS "In words"
FROM reporting.verdicts
WHERE programme = ${programme:sqlstring}
  AND season = (SELECT season FROM reporting.seasons
                WHERE programme = ${programme:sqlstring}
                  AND newest)
  AND (code = ${system:sqlstring}
       OR system_code = ${system:sqlstring})
ORDER BY level = 'place', name
