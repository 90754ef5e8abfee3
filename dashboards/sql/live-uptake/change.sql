-- The change of the gap against the comparator, from exact counts, in percentage points; the line below says against what.
-- Always one row.
WITH (SELECT (any(change), any(comparator), any(against), any(missing), any(figures_shown), any(fifths), count()) FROM reporting.verdicts
      WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND code = ${place:sqlstring}) AS found
SELECT round(100 * found.1, 1) + 0 AS "Change",
       multiIf(found.7 = 0, 'not computed: no verdict on this season',
               NOT found.5, 'withheld: too few people',
               isNull(found.1), concat('not computed: ', if(found.4 = '', 'nothing to compare with', found.4)),
               concat('against the ', found.2, if(found.6 = 'local', ', local fifths', ''))) AS "note"
