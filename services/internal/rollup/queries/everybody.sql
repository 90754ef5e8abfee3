-- Everything known of the people of a programme whose pseudonyms lie between two, in no order. Texts come as numbers:
-- they are read several times faster, and the aggregator knows the few that mean something to it (codes.go). earliest
-- says as much as stream and sequence, and is cheaper to compare.
SELECT person, record_id, toUnixTimestamp64Micro(time), precedence, toUInt8(status), toInt32(day), dose,
       toUInt16(if(length(@seasons) = 1, 0, greatest(indexOf(@seasons, season), 1) - 1)), CAST(cityHash64(lsoa), 'UInt64'), CAST(ascii(ethnicity), 'UInt8'),
       CAST(cityHash64(practice), 'UInt64')
FROM prevention.events
WHERE programme = @programme AND person >= toUUID(@first) AND (@last OR person < toUUID(@beyond))
  AND earliest >= bitNot(bitShiftLeft(toUInt128(@to_stream), 64) + @to_sequence)
SETTINGS max_threads = 1
