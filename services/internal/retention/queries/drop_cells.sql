ALTER TABLE prevention.uptake_cells DROP PARTITION (@programme, @season)
