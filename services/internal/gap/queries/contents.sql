-- What is stored of a season, to write only what differs.
SELECT toString(days.level) AS named_level, days.code, toString(days.fifths) AS named_fifths, toInt32(days.day) AS on_day, days.content
FROM prevention.gap_days AS days FINAL
WHERE days.programme = @programme AND days.season = @season AND days.level != 'published series'
