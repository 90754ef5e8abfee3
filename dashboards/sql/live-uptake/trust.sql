-- How far the figures can be trusted, a line each. Always four lines.
WITH
    (SELECT (any(last_complete_day), any(over), any(kind)) FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS about,
    (SELECT (any(lag_days), any(basis), any(learnt_at)) FROM reporting.complete_days WHERE programme = ${programme:sqlstring}) AS lag,
    (SELECT any(unknown_area) FROM reporting.programmes WHERE programme = ${programme:sqlstring}) AS allowed,
    (SELECT (max(day), argMaxIf(unknown_area, day, day = about.1)) FROM reporting.gap
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
       AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national' AND day >= ifNull(about.1, toDate32('1970-01-01'))) AS found
SELECT line.1 AS "Question", line.2 AS "Answer"
FROM
(
    SELECT arrayJoin([
        ('Figures of now are of', if(isNull(about.1), 'no day yet: none of the season is complete', formatDateTime(about.1, '%W %e %M %Y, the last complete day'))),
        ('Counts reach to', if(found.1 = toDate32('1970-01-01'), 'no counts yet', concat(formatDateTime(found.1, '%W %e %M %Y'),
            if(about.2, ', the end of the season', '; days after the last complete one are provisional')))),
        ('Records take', concat(toString(lag.1), ' days to come in (95 % of a day''s); ', lag.2, '. Worked out ', formatDateTime(lag.3, '%e %b %Y %H:%i'), ' UTC')),
        ('Covered people of unknown area', multiIf(isNull(about.1), 'no complete day yet', isNull(found.2), 'not known: nobody is covered yet, or too few people',
            concat(printf('%.1f %% of all covered; ', 100 * found.2),
                   if(found.2 > allowed, 'too many for a verdict', 'fine'), printf(', the limit is %.1f %%', 100 * allowed))))
    ]) AS line
)
