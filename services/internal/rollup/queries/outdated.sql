-- Cells of a programme below every base, and the rest.
SELECT sumIf(length(days.day), id < @base), sumIf(length(days.day), id >= @base) FROM prevention.uptake_months WHERE programme = @programme
