-- How many sequences after @after and up to @to were lost. One that somebody handled after all was not.
SELECT count()
FROM
(
    SELECT sequence FROM prevention.handled WHERE stream = @stream AND sequence > @after AND sequence <= @to
    GROUP BY sequence HAVING min(outcome) = 'lost'
    SETTINGS optimize_aggregation_in_order = 1
)
