-- What the door refused in the last week, by sender; what was refused behind it is among the dead letters. The 100 most frequent, one row of words where there are none.
SELECT found.1 AS "Sender", found.2 AS "Door", found.3 AS "Reason", found.4 AS "Field", found.5 AS "Last day", found.6 AS "Last week"
FROM
(
    SELECT arraySlice(arraySort(one -> (-ifNull(one.5, 0), -ifNull(one.6, 0), one.1, one.2, one.3, one.4), groupArray((who, at, why, place, toNullable(day), toNullable(week)))), 1, 100) AS all_found
    FROM
    (
        SELECT toString(sender) AS who, toString(door) AS at, toString(reason) AS why, toString(field) AS place, sumIf(items, hour > now() - INTERVAL 24 HOUR) AS day, sum(items) AS week
        FROM reporting.rejections
        WHERE door != 'collector' AND hour > now() - INTERVAL 7 DAY
        GROUP BY who, at, why, place
    )
)
ARRAY JOIN if(empty(all_found), [('nobody', '', 'nothing was rejected in 7 days', '', NULL, NULL)], all_found) AS found
