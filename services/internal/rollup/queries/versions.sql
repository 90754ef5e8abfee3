-- Every version of the records between two, in no order, and who holds it. The programme comes as a number, which is read
-- faster than a text.
SELECT record_id, person, CAST(cityHash64(programme), 'UInt64'), toUnixTimestamp64Micro(time), precedence
FROM prevention.records
WHERE record_id >= toUUID(@first) AND (@last OR record_id < toUUID(@beyond))
  AND (stream < @to_stream OR (stream = @to_stream AND sequence <= @to_sequence))
SETTINGS max_threads = 1
