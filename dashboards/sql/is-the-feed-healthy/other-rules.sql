-- Figures that break any other rule; one row of words where there are none.
SELECT found.1 AS "Where", found.2 AS "Figure", found.3 AS "In words"
FROM
(
    SELECT arraySort(one -> (-ifNull(one.2, 0), one.1), groupArray((name, toNullable(figure), sentence))) AS all_found
    FROM reporting.rule_breaks
    WHERE rule != 'uptake over 100 %'
)
ARRAY JOIN if(empty(all_found), [('nowhere', NULL, 'No figure breaks any other rule.')], all_found) AS found
