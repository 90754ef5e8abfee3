-- Systems that have counts, the one with most eligible people first.
SELECT code, name
FROM reporting.gap
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND level = 'system' AND fifths = 'national'
  AND day = (SELECT last_complete_day FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
ORDER BY eligible DESC NULLS LAST, name
