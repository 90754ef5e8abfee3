ALTER TABLE prevention.uptake_months DROP PARTITION (@programme, @season)
