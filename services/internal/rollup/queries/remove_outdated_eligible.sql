DELETE FROM prevention.eligible_cells WHERE programme = @programme AND generation < @generation
