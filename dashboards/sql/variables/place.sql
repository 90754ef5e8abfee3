-- The whole system, then its local authorities.
SELECT value, text
FROM
(
    SELECT ${system:sqlstring} AS value, 'Whole system' AS text
    UNION ALL
    SELECT code AS value, name AS text FROM reporting.geographies WHERE level = 'place' AND system_code = ${system:sqlstring}
)
ORDER BY value != ${system:sqlstring}, text
