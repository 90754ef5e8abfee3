-- Effect on the weekly pace of the most deprived fifth, in percentage points a week; the line below says how sure it is, or why
-- there is none. Always one row.
WITH (SELECT (count(), any(effect), any(low), any(high), any(not_computed)) FROM reporting.interventions
      WHERE programme = ${programme:sqlstring} AND concat(code, '|', toString(from_day), '|', label) = ${intervention:sqlstring} AND measure != 'gap') AS found
SELECT round(100 * found.2, 1) + 0 AS "Effect",
       multiIf(found.1 = 0, 'no intervention is loaded', isNull(found.2), concat('not computed: ', found.5),
               printf('95 %% interval %.1f to %.1f', 100 * found.3, 100 * found.4)) AS "note"
