-- Every version of some records, whoever holds them.
SELECT record_id, programme, person, toUnixTimestamp64Micro(time) AS micros, precedence, stream, sequence
FROM prevention.records
PREWHERE record_id IN (@records)
WHERE (stream < @to_stream OR (stream = @to_stream AND sequence <= @to_sequence))
