-- The stretches of sequences after @after and up to @to that have no row, first and last of each, in order.
SELECT before + 1 AS first, toUInt64(sequence - 1) AS last
FROM
(
    SELECT sequence, lagInFrame(sequence, 1, toUInt64(@after)) OVER (ORDER BY sequence ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
    FROM
    (
        SELECT DISTINCT sequence FROM prevention.handled WHERE stream = @stream AND sequence > @after AND sequence <= @to
        UNION ALL
        SELECT toUInt64(@to) + 1
    )
)
WHERE sequence > before + 1
ORDER BY first
