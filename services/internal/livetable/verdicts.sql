-- The verdicts of the seasons asked for, widest geography first, and the last complete day of each programme.
SELECT lags.programme, state.season, state.level, state.code, state.verdict, state.sentence, state.shown, toInt32(lags.last_complete) AS complete
FROM prevention.completeness AS lags FINAL
LEFT JOIN (SELECT * FROM prevention.judged FINAL WHERE (programme, season) IN (@seasons)) AS state ON state.programme = lags.programme
ORDER BY lags.programme, indexOf(['england', 'region', 'system', 'place'], state.level), state.code
