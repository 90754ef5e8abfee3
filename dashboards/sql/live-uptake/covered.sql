-- Overall uptake on the last complete day; the line below it says of how many people.
WITH n -> reverse(trim(TRAILING ',' FROM replaceRegexpAll(reverse(toString(n)), '\\d{3}', '\\0,'))) AS grouped
SELECT uptake AS "Covered",
       if(isNull(uptake), 'withheld: too few people', concat(grouped(covered), ' of ', grouped(eligible), ' people')) AS "note"
FROM reporting.gap
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
  AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national'
  AND day = (SELECT last_complete_day FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
