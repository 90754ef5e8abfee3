-- Programmes of removals that were cut off, and which.
SELECT toString(any(programme)), toString(any(season)), run FROM prevention.retention_log GROUP BY run HAVING max(phase) = 'begun'
