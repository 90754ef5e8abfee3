-- Programmes of removals that are not known to have ended, which, and since when.
SELECT toString(any(programme)), toString(any(season)), run, min(at) FROM prevention.retention_log GROUP BY run HAVING max(phase) = 'begun'
