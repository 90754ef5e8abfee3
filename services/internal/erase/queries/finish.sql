-- Those that were cut off are done with: their programmes are counted afresh, and who is left is found by running them again.
INSERT INTO prevention.erasures (run, phase, at, reference, asked_by, messages, dead_letters, rows)
SELECT run, 'done', now64(3), any(reference), any(asked_by), 0, 0, 0 FROM prevention.erasures
GROUP BY run HAVING max(phase) = 'begun' AND run != @run
