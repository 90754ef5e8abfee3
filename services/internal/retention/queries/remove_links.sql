ALTER TABLE prevention.links DELETE
WHERE person IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
  AND previous IN (SELECT id FROM prevention.removing WHERE run = @run AND kind = 'person')
  AND (stream, sequence) IN (SELECT stream, sequence FROM prevention.handled WHERE (stream, sequence) IN (SELECT stream, sequence FROM prevention.links))
SETTINGS mutations_sync = 2
