-- The gap of each place over the complete days in the time range, in percentage points.
SELECT toDateTime(day) + 43200 AS time, if(level = 'system', 'Whole system', name) AS place, 100 * gap AS "Gap"
FROM reporting.gap
WHERE programme = ${programme:sqlstring} AND level IN ('place', 'system')
  AND code IN (SELECT code FROM reporting.geographies WHERE level IN ('place', 'system') AND system_code = ${system:sqlstring}
               AND (${place:sqlstring} = ${system:sqlstring} OR code IN (${place:sqlstring}, ${system:sqlstring})))
  AND fifths = 'national' AND day BETWEEN toDate32($__fromTime) AND toDate32($__toTime) AND complete
ORDER BY time, place
