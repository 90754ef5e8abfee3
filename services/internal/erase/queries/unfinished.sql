-- Erasures that were begun and cut off.
SELECT count() FROM (SELECT run FROM prevention.erasures GROUP BY run HAVING max(phase) = 'begun')
