-- The interventions in force of a programme.
SELECT geography, toInt32(from_day) AS first_day, toInt32(to_day) AS last_day, label
FROM prevention.interventions
WHERE programme = @programme AND batch IN (SELECT batch FROM prevention.loads_now WHERE kind = 'interventions' AND key = @programme)
