-- How many programmes have published counts, up to which sequence of the stream all of them, and when last.
SELECT count(), min(sequence), max(published_at)
FROM
(
    SELECT programme, toUInt64(bitAnd(max(rows.id), toUInt128(18446744073709551615))) AS sequence, max(rows.published_at) AS published_at
    FROM prevention.published AS rows WHERE season = '' AND place = ''
    GROUP BY programme
)
