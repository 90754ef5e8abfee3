-- How many rows of events and of reference data a ClickHouse holds, also one that no migration has seen. Loads are not
-- counted: every aggregator makes one of its programmes. A table that does not say how many rows it has holds some.
SELECT sumIf(ifNull(total_rows, 1), name = 'events') AS events, sumIf(ifNull(total_rows, 1), name != 'events') AS reference
FROM system.tables
WHERE database = 'prevention'
  AND name IN ('events', 'lookups', 'areas', 'names', 'practices', 'eligible', 'history', 'interventions', 'flags')
