-- Links between pseudonyms that came in after one position, up to another.
SELECT person, previous, stream, sequence FROM prevention.links
WHERE (stream > @from_stream OR (stream = @from_stream AND sequence > @from_sequence))
  AND (stream < @to_stream OR (stream = @to_stream AND sequence <= @to_sequence))
