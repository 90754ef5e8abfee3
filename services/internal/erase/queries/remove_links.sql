ALTER TABLE prevention.links DELETE
WHERE person IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
   OR previous IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
SETTINGS mutations_sync = 2
