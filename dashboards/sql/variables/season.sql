-- Seasons that have counts, newest first, and the newest in any case.
SELECT season
FROM reporting.seasons
WHERE programme = ${programme:sqlstring}
  AND (newest OR season IN (
    SELECT season FROM reporting.gap
    WHERE programme = ${programme:sqlstring} AND level = 'system' AND fifths = 'national'
      AND (season, day) IN (SELECT season, last_complete_day FROM reporting.seasons WHERE programme = ${programme:sqlstring})))
ORDER BY starts_on DESC
