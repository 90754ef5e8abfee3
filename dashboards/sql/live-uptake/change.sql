-- The change of the gap against the comparator, from exact counts, in percentage points; the line below says against what. A
-- season without a verdict is laid beside the season before, from the figures shown. Always one row.
WITH
    (SELECT (any(change), any(comparator), any(against), any(missing), any(figures_shown), any(fifths), count()) FROM reporting.verdicts
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND code = ${place:sqlstring}) AS found,
    (SELECT (any(last_complete_day), any(previous_season), any(previous_ahead)) FROM reporting.seasons
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS about,
    (SELECT any(gap) FROM reporting.gap
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}
       AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national' AND day = about.1) AS gap_now,
    (SELECT any(gap) FROM reporting.gap
     WHERE programme = ${programme:sqlstring} AND season = about.2
       AND level IN ('place', 'system') AND code = ${place:sqlstring} AND fifths = 'national'
       AND day = least(about.1 - ifNull(about.3, 0), (SELECT any(ends_on) FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = about.2))) AS gap_before
SELECT round(100 * if(found.7 = 0, gap_now - gap_before, found.1), 1) + 0 AS "Change",
       multiIf(found.7 = 0 AND isNotNull("Change"), concat('against ', about.2, ' on the same day; no verdict'),
               found.7 = 0, 'not computed: no verdict, nothing to compare with',
               NOT found.5, 'withheld: too few people',
               isNull(found.1), concat('not computed: ', if(found.4 = '', 'nothing to compare with', found.4)),
               concat('against the ', found.2, if(found.6 = 'local', ', local fifths', ''))) AS "note"
