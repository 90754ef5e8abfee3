-- Overall uptake on the last complete day; the line below it says of how many people. Always one row.
WITH n -> reverse(trim(TRAILING ',' FROM replaceRegexpAll(reverse(toString(n)), '\\d{3}', '\\0,'))) AS grouped
SELECT any(uptake) AS "Covered",
       multiIf(count() = 0, 'no complete day yet', isNull(any(uptake)), 'withheld: too few people',
               concat(grouped(any(covered)), ' of ', grouped(any(eligible)), ' people')) AS "note"
FROM reporting.gap
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
  AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national'
  AND day = (SELECT last_complete_day FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
