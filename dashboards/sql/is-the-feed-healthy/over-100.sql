-- Geographies in which more people are covered than are eligible; one row of words where there are none.
SELECT name AS "Where", uptake AS "Uptake", sentence AS "In words"
FROM
(
    SELECT name, toNullable(figure) AS uptake, sentence FROM reporting.rule_breaks WHERE rule = 'uptake over 100 %'
    UNION ALL
    SELECT 'nowhere', NULL, 'Nowhere are more people covered than are eligible.'
    WHERE NOT EXISTS (SELECT 1 FROM reporting.rule_breaks WHERE rule = 'uptake over 100 %')
)
ORDER BY uptake DESC, name
