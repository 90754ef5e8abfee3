-- People short of the target in the neighbourhoods shown, and how many of them live in the furthest-behind tenth.
SELECT sum(short_to_target) AS "People short of the target",
       sumIf(short_to_target, place_in_order <= tenth) / nullIf(sum(short_to_target), 0) AS "In the tenth with most people short"
FROM
(
    SELECT short_to_target, row_number() OVER (ORDER BY short_to_target DESC) AS place_in_order, intDiv(count() OVER () + 9, 10) AS tenth
    FROM reporting.neighbourhoods
    WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
      AND day = (SELECT last_week FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
      AND (place_code = ${place:sqlstring} OR system_code = ${place:sqlstring})
      AND code != '' AND short_to_target IS NOT NULL
)
