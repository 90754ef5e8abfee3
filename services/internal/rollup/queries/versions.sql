-- Every version of the records between two, in no order, and who holds it. The programme comes as a number, which is read
-- faster than a text. earliest says as much as stream and sequence, and is cheaper to compare.
SELECT record_id, person, CAST(cityHash64(programme), 'UInt64'), toUnixTimestamp64Micro(time), precedence
FROM prevention.records
WHERE record_id >= toUUID(@first) AND (@last OR record_id < toUUID(@beyond))
  AND earliest >= bitNot(bitShiftLeft(toUInt128(@to_stream), 64) + @to_sequence)
SETTINGS max_threads = 1
