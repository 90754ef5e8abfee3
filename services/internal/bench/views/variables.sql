-- The places of a system and the seasons of a programme, for the dashboard's variables.
SELECT variable, value, text
FROM (SELECT 'place' AS variable, code AS value, name AS text FROM reporting.geographies WHERE level = 'place' AND system_code = @system
      UNION ALL SELECT 'season', season, season FROM reporting.seasons WHERE programme = @programme)
ORDER BY variable, text
