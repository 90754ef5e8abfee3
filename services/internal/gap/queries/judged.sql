-- The state of each verdict of a season.
SELECT state.level, state.code, toInt32(state.day) AS on_day, state.verdict, toInt32(state.since) AS since_day, state.differ, state.fifths
FROM prevention.judged AS state FINAL
WHERE state.programme = @programme AND state.season = @season
