-- The interventions of the programme in the system, those of the chosen place first, then the newest. One line says so where
-- there is none.
SELECT value, text
FROM
(
    SELECT concat(code, '|', toString(from_day), '|', label) AS value, concat(label, ', ', any(name), ', ', formatDateTime(from_day, '%e %b %Y')) AS text,
           code != ${place:sqlstring} AS elsewhere, from_day AS since
    FROM reporting.interventions
    WHERE programme = ${programme:sqlstring} AND system_code = ${system:sqlstring}
    GROUP BY code, from_day, label
    UNION ALL
    SELECT 'none', 'none is loaded', 2, toDate32('1970-01-01')
    WHERE 0 = (SELECT count() FROM reporting.interventions WHERE programme = ${programme:sqlstring} AND system_code = ${system:sqlstring})
)
ORDER BY elsewhere, since DESC, text
