WITH
    (SELECT over FROM reporting.seasons WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS ended,
    (SELECT (any(verdict), any(since)) FROM reporting.verdicts
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND code = ${place:sqlstring}) AS found
SELECT multiIf(found.1 = '', if(ended, 'season is over', 'no verdict yet'), ended, concat(found.1, ' (over)'), found.1) AS "Verdict"
