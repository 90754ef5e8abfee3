-- How much of it has been seen. Always one row.
WITH
    (SELECT (count(), any(from_day), any(to_day), any(day)) FROM reporting.interventions
     WHERE programme = ${programme:sqlstring} AND concat(code, '|', toString(from_day), '|', label) = ${intervention:sqlstring}) AS found,
    (SELECT any(last_complete) FROM reporting.complete_days WHERE programme = ${programme:sqlstring}) AS last_day
SELECT if(found.1 = 0, NULL, greatest(0, dateDiff('day', found.2, least(ifNull(found.3, last_day), last_day)) + 1)) AS "Days",
       if(found.1 = 0, 'no intervention is loaded',
          concat(if(isNull(found.3), 'no end known', concat('of ', toString(dateDiff('day', found.2, found.3) + 1))), ', up to ', formatDateTime(last_day, '%e %b %Y'))) AS "note"
