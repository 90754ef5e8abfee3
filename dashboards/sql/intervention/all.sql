-- Every intervention that is loaded for the system, over all programmes, newest first.
SELECT label AS "What", any(name) AS "Where", any(programme_name) AS "Programme", formatDateTime(from_day, '%e %b %Y') AS "From", ifNull(formatDateTime(any(to_day), '%e %b %Y'), 'goes on') AS "To",
       round(100 * anyIf(effect, measure != 'gap'), 1) + 0 AS "Effect on pace",
       if(isNull(anyIf(low, measure != 'gap')), '', printf('%.1f to %.1f', 100 * anyIf(low, measure != 'gap'), 100 * anyIf(high, measure != 'gap'))) AS "95 % interval",
       round(100 * anyIf(effect, measure = 'gap'), 1) + 0 AS "Effect on gap",
       if(isNull(anyIf(low, measure = 'gap')), '', printf('%.1f to %.1f', 100 * anyIf(low, measure = 'gap'), 100 * anyIf(high, measure = 'gap'))) AS "Gap, 95 %",
       if(any(not_computed) = '', '', concat('not computed: ', any(not_computed))) AS "Note",
       any(programme) AS programme_id, concat(code, '|', toString(from_day), '|', label) AS key
FROM reporting.interventions
WHERE system_code = ${system:sqlstring}
GROUP BY programme, code, from_day, label
ORDER BY from_day DESC, label
