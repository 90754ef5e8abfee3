-- What the alert rule on quintiles behind the season before asks for: every programme, geography and quintile.
SELECT programme, season, level, code, name, quintile_label, sentence, toUInt8(is_behind) AS behind_now
FROM reporting.behind
WHERE level IN ('place', 'system')
