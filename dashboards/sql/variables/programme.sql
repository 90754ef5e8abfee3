SELECT programme, programme_name FROM reporting.programmes ORDER BY position
