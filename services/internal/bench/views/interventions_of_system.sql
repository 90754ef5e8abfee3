-- What interventions in a system did.
SELECT name, label, from_day, to_day, measure, effect, low, high, here, elsewhere, places, not_computed
FROM reporting.interventions
WHERE programme = @programme AND system_code = @system
ORDER BY from_day, name, measure
