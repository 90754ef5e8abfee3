SELECT if(count() = 0, 'no complete day yet', formatDateTime(min(day), '%e %b %Y')) AS "As of"
FROM reporting.verdicts
WHERE system_code = ${system:sqlstring} AND level IN ('place', 'system') AND NOT over
