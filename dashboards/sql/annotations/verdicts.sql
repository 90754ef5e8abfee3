SELECT toDateTime(day) + 43200 AS time, sentence AS text, concat('verdict,', verdict) AS tags
FROM reporting.verdict_changes
WHERE programme = ${programme:sqlstring} AND system_code = ${system:sqlstring} AND (${place:sqlstring} = ${system:sqlstring} OR code = ${place:sqlstring})
