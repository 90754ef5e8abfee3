-- Those that were cut off are done with: their programmes are counted afresh, and who is left is found by running them again.
-- One of another request that began less than an hour ago may still be at work, and be cut off later: it stays open.
INSERT INTO prevention.erasures (run, phase, at, reference, asked_by, messages, dead_letters, rows)
SELECT run, 'done', now64(3), any(reference) AS request, any(asked_by), 0, 0, 0 FROM prevention.erasures
GROUP BY run HAVING max(phase) = 'begun' AND run != @run
   AND (min(at) < now64(3) - INTERVAL 1 HOUR OR request IN (SELECT reference FROM prevention.erasures WHERE run = @run))
