SELECT DISTINCT toDateTime(from_day) AS time, toDateTime(least(ifNull(to_day, today()), today())) + 86399 AS timeEnd, concat(label, ' in ', name) AS text, 'intervention' AS tags
FROM reporting.interventions
WHERE programme = ${programme:sqlstring} AND system_code = ${system:sqlstring} AND (${place:sqlstring} = ${system:sqlstring} OR code = ${place:sqlstring})
