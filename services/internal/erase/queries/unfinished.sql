-- Erasures that were begun and are not known to have ended.
SELECT count() FROM (SELECT run FROM prevention.erasures GROUP BY run HAVING max(phase) = 'begun')
