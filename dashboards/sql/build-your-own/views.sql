-- The views that Grafana may read, with their comments. On a server a reader sees here what it may read, and no more.
-- Named here so that Grafana waits for them before it makes the links: ${programme:sqlstring} ${season:sqlstring} ${system:sqlstring} ${place:sqlstring}
SELECT views.name AS "View", views.comment AS "What it holds", described.number AS "Columns"
FROM system.tables AS views
LEFT JOIN (SELECT table, count() AS number FROM system.columns WHERE database = 'reporting' GROUP BY table) AS described ON described.table = views.name
WHERE views.database = 'reporting'
ORDER BY views.name
