-- Records between two that more than one person or programme holds versions of: only the newest version counts, where
-- it is.
SELECT record_id, programme, person, toUnixTimestamp64Micro(time) AS micros, precedence
FROM prevention.records
WHERE (stream < @to_stream OR (stream = @to_stream AND sequence <= @to_sequence))
  AND record_id >= toUUID(@first) AND (@last OR record_id < toUUID(@beyond))
  AND record_id IN (
      SELECT record_id FROM prevention.records
      WHERE record_id >= toUUID(@first) AND (@last OR record_id < toUUID(@beyond))
      GROUP BY record_id
      HAVING min(cityHash64(programme, person)) != max(cityHash64(programme, person))
      SETTINGS optimize_aggregation_in_order = 1)
