-- The eligible people in force of one programme. Batch by itself comes first because the table is in its order.
WITH in_force AS
(
    SELECT batch, key FROM prevention.loads_now
    WHERE kind = 'eligible' AND startsWith(key, concat(@programme, '/'))
)
SELECT season, toInt32(valid_from) AS day, lsoa, practice, ethnicity, eligible
FROM prevention.eligible
WHERE batch IN (SELECT batch FROM in_force) AND programme = @programme
  AND (batch, concat(programme, '/', season, '/', toString(valid_from))) IN (SELECT batch, key FROM in_force)
ORDER BY season, valid_from, lsoa, practice, ethnicity
