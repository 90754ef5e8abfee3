-- People covered and eligible today, by programme, season and quintile, of the seasons asked for. Neighbourhoods are
-- the level that every covered person is counted at. Eligible are those of the version that is valid today.
SELECT programme, season, quintile, sum(people_covered), sum(people_eligible)
FROM
(
    SELECT programme, season, quintile,
           sum(toInt64(newly) - toInt64(lapsed) + toInt64(moved_in) - toInt64(moved_out)) AS people_covered, toInt64(0) AS people_eligible
    FROM prevention.uptake_now
    WHERE level = 'neighbourhood' AND (programme, season) IN (@seasons) AND day <= toDate32(@today)
    GROUP BY programme, season, quintile

    UNION ALL

    SELECT programme, season, quintile, toInt64(0), toInt64(sum(eligible))
    FROM prevention.eligible_now
    WHERE level = 'neighbourhood' AND (programme, season, valid_from) IN
    (
        SELECT programme, season, max(valid_from) FROM prevention.eligible_now
        WHERE (programme, season) IN (@seasons) AND valid_from <= toDate32(@today)
        GROUP BY programme, season
    )
    GROUP BY programme, season, quintile
)
GROUP BY programme, season, quintile
