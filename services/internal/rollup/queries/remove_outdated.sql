DELETE FROM prevention.uptake_months WHERE programme = @programme AND id < @base
