-- Every version of the records between two, in no order, and who holds it, in which programme, as one number: holders are
-- only told apart among the few versions of one record. earliest says as much as stream and sequence, and is cheaper to
-- compare.
SELECT record_id, bitXor(cityHash64(person), cityHash64(programme)), toUnixTimestamp64Micro(time), precedence
FROM prevention.records
WHERE record_id >= toUUID(@first) AND (@last OR record_id < toUUID(@beyond))
  AND earliest >= bitNot(bitShiftLeft(toUInt128(@to_stream), 64) + @to_sequence)
SETTINGS max_threads = 1
