-- The gap in percentage points. The verdict's figure is from exact counts, so that it agrees with its sentence; where there is
-- none, that of the figures shown. The line below says how sure it is, or why there is none.
WITH
    (SELECT (any(gap), any(fifths)) FROM reporting.verdicts
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND code = ${place:sqlstring}) AS judged,
    arrayFirst(line -> startsWith(line, 'gap: '), splitByChar('\n', not_computed)) AS why
SELECT round(100 * coalesce(if(judged.2 = 'national', judged.1, NULL), gap), 1) + 0 AS "Gap",
       if(isNull(gap), concat('not computed: ', if(why = '', 'withheld', substring(why, 6))),
          concat('95 % interval ', printf('%.1f to %.1f', 100 * gap_low, 100 * gap_high))) AS "note"
FROM reporting.gap
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
  AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national'
  AND day = (SELECT last_complete_day FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring})
