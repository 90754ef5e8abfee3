-- How many different versions of records there are.
SELECT count() FROM prevention.events FINAL
