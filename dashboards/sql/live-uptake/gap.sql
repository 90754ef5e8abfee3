-- The gap on the last complete day in percentage points, between the fifths that the verdict uses. The verdict's figure is from
-- exact counts, so that it agrees with its sentence; where there is none, or it is of another day than the interval, that of the
-- figures shown. The line below says how sure it is, or why there is none. Always one row.
WITH
    (SELECT last_complete_day FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS last_day,
    (SELECT (anyIf(gap, day = last_day), if(count() = 0, 'national', any(fifths))) FROM reporting.verdicts
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND code = ${place:sqlstring}) AS judged,
    arrayFirst(line -> startsWith(line, 'gap: '), splitByChar('\n', any(not_computed))) AS why
SELECT round(100 * coalesce(judged.1, any(gap)), 1) + 0 AS "Gap",
       concat(if(judged.2 = 'local', 'between local fifths; ', ''),
              multiIf(count() = 0, 'no complete day yet',
                      isNotNull(any(gap)), printf('95 %% interval %.1f to %.1f', 100 * any(gap_low), 100 * any(gap_high)),
                      isNotNull(judged.1), 'interval withheld',
                      concat('not computed: ', if(why = '', 'withheld', substring(why, 6))))) AS "note"
FROM reporting.gap
WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
  AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = judged.2
  AND day = last_day
