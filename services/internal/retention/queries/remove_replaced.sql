ALTER TABLE prevention.events DELETE
WHERE record_id IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'record')
SETTINGS mutations_sync = 2
