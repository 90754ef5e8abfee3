-- The ten neighbourhoods with the lowest uptake, of the
-- last complete Sunday. Null is withheld, not 0: say so.
SELECT name AS "Neighbourhood",
       uptake AS "Uptake",
       uptake_low AS "from",
       uptake_high AS "to",
       if(uptake IS NULL, 'withheld (small numbers)',
          'shown') AS "Note"
FROM reporting.neighbourhoods
WHERE programme = ${programme:sqlstring}
  AND season = ${season:sqlstring}
  AND day = (SELECT last_week FROM reporting.seasons
             WHERE programme = ${programme:sqlstring}
               AND season = ${season:sqlstring})
  AND system_code = ${system:sqlstring}
  AND code != ''
ORDER BY uptake NULLS LAST
LIMIT 10
