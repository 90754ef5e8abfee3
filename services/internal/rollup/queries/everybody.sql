-- Everything known of everybody in a programme, person by person and record by record.
SELECT person, record_id, toUnixTimestamp64Micro(time) AS micros, precedence,
       toUInt8(status) AS status, toInt32(day) AS day, dose, season, lsoa, ethnicity, practice
FROM prevention.events
WHERE programme = @programme
  AND (stream < @to_stream OR (stream = @to_stream AND sequence <= @to_sequence))
ORDER BY programme, person, record_id
SETTINGS optimize_read_in_order = 1, max_threads = @threads
