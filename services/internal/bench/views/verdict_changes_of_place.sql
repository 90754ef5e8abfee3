-- Changes of verdict at a place, as annotations.
SELECT decided_at, verdict, previous, sentence, published_at
FROM reporting.verdict_changes
WHERE programme = @programme AND season = @season AND level = 'place' AND code = @place
ORDER BY n
