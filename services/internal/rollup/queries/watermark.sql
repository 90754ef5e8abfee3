-- The last sequence of a stream up to which every message is handled. Whole stretches are passed over first: to put ten
-- million sequences in order takes a second.
WITH @after + 65536 *
    (
        SELECT max(nth)
        FROM
        (
            SELECT stretch, row_number() OVER (ORDER BY stretch) AS nth
            FROM
            (
                SELECT intDiv(sequence - @after - 1, 65536) AS stretch
                FROM prevention.handled FINAL
                WHERE stream = @stream AND sequence > @after
                GROUP BY stretch
                HAVING count() = 65536
            )
        )
        WHERE stretch = nth - 1
    ) AS begun
SELECT greatest(begun, max(sequence))
FROM
(
    SELECT sequence, row_number() OVER (ORDER BY sequence) AS nth
    FROM prevention.handled FINAL
    WHERE stream = @stream AND sequence > begun AND sequence <= begun + 65536
)
WHERE sequence = begun + nth
