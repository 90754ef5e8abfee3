-- How the pace changed in the place itself; the line below says how it did elsewhere. Always one row.
WITH (SELECT (count(), any(here), any(elsewhere), any(places)) FROM reporting.interventions
      WHERE programme = ${programme:sqlstring} AND concat(code, '|', toString(from_day), '|', label) = ${intervention:sqlstring} AND measure != 'gap') AS found
SELECT round(100 * found.2, 1) + 0 AS "Here",
       multiIf(found.1 = 0, 'no intervention is loaded', isNull(found.2), 'not computed', printf('%.1f in the %d other places', 100 * found.3, found.4)) AS "note"
