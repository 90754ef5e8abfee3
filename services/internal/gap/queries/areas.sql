-- The newest load that changes areas, their names, where the people of a PCN live, or what interventions there were; and
-- the newest that changes areas.
SELECT max(load), maxIf(load, kind = 'areas') FROM prevention.loads WHERE kind IN ('areas', 'names', 'practices', 'eligible', 'interventions')
