-- Days until 95 % of a day's records have come, by programme and quintile; the slowest quintile decides which day is complete.
SELECT lag.programme_name AS "Programme", lag.last_complete AS "Complete up to", lag.lag_days AS "Days to wait",
       lag.lag_days_1 AS "1 most deprived", lag.lag_days_2 AS "2", lag.lag_days_3 AS "3", lag.lag_days_4 AS "4", lag.lag_days_5 AS "5 least deprived"
FROM reporting.complete_days AS lag
LEFT JOIN (SELECT programme, position FROM reporting.programmes) AS about ON about.programme = lag.programme
ORDER BY lag.lag_days DESC, about.position
