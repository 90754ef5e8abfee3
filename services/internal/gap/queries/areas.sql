-- The newest load that changes areas, their names, where the people of a PCN live, or what interventions there were.
SELECT max(load) FROM prevention.loads WHERE kind IN ('areas', 'names', 'practices', 'eligible', 'interventions')
