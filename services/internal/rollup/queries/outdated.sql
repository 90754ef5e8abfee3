-- Rows of a programme below every base, and the rest.
SELECT countIf(id < @base), countIf(id >= @base) FROM prevention.uptake_cells WHERE programme = @programme
