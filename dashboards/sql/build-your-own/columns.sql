-- The columns of a view with their comments; of an enumeration the names alone.
SELECT name AS "Column", replaceRegexpAll(type, ' = -?[0-9]+', '') AS "Type", comment AS "What it means"
FROM system.columns
WHERE database = 'reporting' AND table = ${view:sqlstring}
ORDER BY position
