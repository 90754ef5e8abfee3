INSERT INTO prevention.interventions (batch, programme, geography, from_day, to_day, label)
SELECT cityHash64(programme), programme, code, from_day, to_day, label
FROM prevention.intervention_effects WHERE programme = @programme AND measure = 'gap'
