ALTER TABLE prevention.events DELETE
WHERE person IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
   OR previous IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
   OR (record_id, time, precedence) IN (SELECT id, time, precedence FROM prevention.removing WHERE run = @run AND kind = 'record')
SETTINGS mutations_sync = 2
