ALTER TABLE prevention.records DELETE
WHERE programme = @programme AND (record_id, person, time, precedence) IN (
          SELECT record_id, person, time, precedence FROM prevention.events WHERE programme = @programme AND season = @season AND day <= toDate32(@until))
   OR (record_id, time, precedence) IN (SELECT id, time, precedence FROM prevention.removing WHERE run = @run AND kind = 'record')
SETTINGS mutations_sync = 2
