-- All changes of verdict are published.
INSERT INTO prevention.verdict_published (event_id, published_at)
SELECT event_id, decided_at + 1 FROM prevention.verdict_log WHERE programme = @programme
