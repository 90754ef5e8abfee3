-- Eligible people of a programme by cell, of generations below one.
SELECT count() FROM prevention.eligible_cells WHERE programme = @programme AND generation < @generation
