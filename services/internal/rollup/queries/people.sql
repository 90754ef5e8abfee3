-- Everything known of some people in a programme.
SELECT person, record_id, toUnixTimestamp64Micro(time) AS micros, precedence, stream, sequence,
       toUInt8(status) AS status, toInt32(day) AS day, dose, season, lsoa, ethnicity, practice
FROM prevention.events
PREWHERE programme = @programme AND person IN (@people)
WHERE (stream < @to_stream OR (stream = @to_stream AND sequence <= @to_sequence))
