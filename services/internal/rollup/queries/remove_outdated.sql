DELETE FROM prevention.uptake_cells WHERE programme = @programme AND id < @base
