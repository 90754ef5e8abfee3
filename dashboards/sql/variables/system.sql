-- Systems that have counts, the one with most eligible people first. Until a season has a complete day, those of its first one.
SELECT code, name
FROM reporting.gap
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND level = 'system' AND fifths = 'national'
  AND day = (SELECT ifNull(last_complete_day, starts_on) FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
ORDER BY eligible DESC NULLS LAST, name
