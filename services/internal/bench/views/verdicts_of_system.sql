-- Verdicts of a system and its places, what to act on first.
SELECT name, level, verdict, since, gap, change, change_low, change_high, sentence, day
FROM reporting.verdicts
WHERE programme = @programme AND season = @season AND system_code = @system
ORDER BY verdict = 'widening' DESC, change DESC
