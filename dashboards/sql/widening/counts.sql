-- How many verdicts of each kind there are in the system, over all programmes.
SELECT countIf(verdict = 'widening') AS "Widening", countIf(gap > ceiling) AS "Above the limit", countIf(verdict = 'narrowing') AS "Narrowing",
       countIf(verdict = 'steady') AS "Steady", countIf(verdict = 'not enough data') AS "Not enough data"
FROM reporting.verdicts
WHERE system_code = ${system:sqlstring} AND level IN ('place', 'system') AND NOT over
