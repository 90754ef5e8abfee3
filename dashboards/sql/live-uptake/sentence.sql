-- The verdict in words; where there is none, why. Always one row.
WITH
    (SELECT (any(programme_name), any(over), any(last_complete_day)) FROM reporting.seasons
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring}) AS about,
    (SELECT any(name) FROM reporting.geographies WHERE code = ${place:sqlstring}) AS area,
    (SELECT (any(sentence), any(over)) FROM reporting.verdicts
     WHERE programme = ${programme:sqlstring} AND season = ${season:sqlstring} AND code = ${place:sqlstring}) AS found
SELECT multiIf(
    found.1 != '' AND found.2, concat('The season is over. Its last verdict: ', found.1),
    found.1 != '', found.1,
    about.2, concat(about.1, ' in ', area, ': the season ', ${season:sqlstring}, ' is over. No verdict was given on it here; what follows is how it ended.'),
    isNull(about.3), concat(about.1, ' in ', area, ': no day of this season is complete yet, so there is no verdict.'),
    concat(about.1, ' in ', area, ': no verdict yet. One follows when the counts have settled.')) AS sentence
