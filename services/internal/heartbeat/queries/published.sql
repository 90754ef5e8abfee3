-- How far the numbers of these programmes are published, the one that is least far: how many there are, creation of its
-- stream in milliseconds, sequence; and when anything was published last.
SELECT count() AS programmes, min((millisecond, sequence)).1, min((millisecond, sequence)).2, max(at)
FROM
(
    SELECT programme, max(rows.id) AS id, max(published_at) AS at,
           toUInt64(bitAnd(bitShiftRight(id, 64), bitShiftLeft(toUInt128(1), 44) - 1)) AS millisecond, toUInt64(bitAnd(id, toUInt128(18446744073709551615))) AS sequence
    FROM prevention.published AS rows WHERE season = '' AND place = '' AND programme IN @programmes GROUP BY programme
)
