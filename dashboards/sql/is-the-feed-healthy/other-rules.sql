-- Figures that break any other rule; one row of words where there are none.
SELECT name AS "Where", share AS "Figure", sentence AS "In words"
FROM
(
    SELECT name, toNullable(figure) AS share, sentence FROM reporting.rule_breaks WHERE rule != 'uptake over 100 %'
    UNION ALL
    SELECT 'nowhere', NULL, 'No figure breaks any other rule.'
    WHERE NOT EXISTS (SELECT 1 FROM reporting.rule_breaks WHERE rule != 'uptake over 100 %')
)
ORDER BY share DESC, name
