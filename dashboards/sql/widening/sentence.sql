-- What to look at first in this system, in words, over all programmes. Always one row.
WITH
    found AS
    (
        SELECT programme_name, name, level, verdict, change, gap
        FROM reporting.verdicts
        WHERE system_code = ${system:sqlstring} AND level IN ('place', 'system') AND NOT over
    ),
    (SELECT any(name) FROM reporting.geographies WHERE code = ${system:sqlstring}) AS area,
    (SELECT (count(), countIf(verdict = 'widening'), countIf(verdict = 'narrowing'), countIf(verdict = 'steady')) FROM found) AS counts,
    (SELECT groupArray(5)(line) FROM (
        SELECT concat(programme_name, ' in ', name, if(isNull(change), '', printf(' (%.1f points more)', 100 * change))) AS line
        FROM found WHERE verdict = 'widening' ORDER BY level = 'system' DESC, change DESC NULLS LAST)) AS widest
SELECT multiIf(
    counts.1 = 0, concat(area, ': no verdict yet. One follows when the counts have settled.'),
    counts.2 = 0, concat(area, ': the gap is not seen to widen in any of ', toString(counts.1), ' places and programmes'),
    concat('The gap is widening in ', toString(counts.2), ' of ', toString(counts.1), ' places and programmes of ', area, ': ',
           arrayStringConcat(widest, '; '), if(counts.2 > 5, '; and more', '')))
    || if(counts.1 = 0, '', concat('. Narrowing in ', toString(counts.3), ', steady in ', toString(counts.4), '; in the others there is not enough data to say.')) AS sentence
