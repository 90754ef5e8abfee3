SELECT count() FROM prevention.records
