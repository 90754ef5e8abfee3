ALTER TABLE prevention.events DELETE
WHERE (record_id, time, precedence) IN (SELECT id, time, precedence FROM prevention.removing WHERE run = @run AND kind = 'record')
SETTINGS mutations_sync = 2
