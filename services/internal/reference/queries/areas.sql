SELECT lsoa, neighbourhood, place, system, region, quintile_2019, quintile_2025, rank_2019, rank_2025
FROM prevention.areas
WHERE batch IN (SELECT batch FROM prevention.loads_now WHERE kind = 'areas')
