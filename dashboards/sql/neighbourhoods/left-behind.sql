-- Uptake week by week in neighbourhoods on a loaded list and in all others. Where so few are covered or not covered that the count is withheld,
-- it stands for 4 people, the middle of 1 to 7: leaving these neighbourhoods out would leave out the best or the worst.
-- The week is in milliseconds, so that the axis shows dates whatever the time range of the dashboard.
SELECT toUnixTimestamp(toDateTime(day, 'UTC')) * 1000 AS "Week to",
       sumIf(people, flags != '') / nullIf(sumIf(eligible, flags != '' AND people IS NOT NULL), 0) AS "On a loaded list",
       sumIf(people, flags = '') / nullIf(sumIf(eligible, flags = '' AND people IS NOT NULL), 0) AS "All others"
FROM
(
    SELECT day, flags, eligible,
           multiIf(eligible IS NULL, NULL, withheld = 'nearly all', greatest(toInt64(eligible) - 4, 0), withheld = 'suppressed', if(eligible > 12, 4, NULL), toInt64(covered)) AS people
    FROM reporting.neighbourhoods
    WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND code != ''
      AND day > (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) - 364
      AND place_code IN (SELECT code FROM reporting.geographies WHERE level = 'place' AND (code = ${place:sqlstring} OR system_code = ${place:sqlstring}))
)
GROUP BY day
ORDER BY day
