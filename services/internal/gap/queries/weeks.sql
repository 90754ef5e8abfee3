-- The Sundays that are stored under the areas in force, with the uptake shown then.
SELECT toInt32(weeks.day) AS on_day, weeks.place, weeks.code, weeks.uptake
FROM prevention.neighbourhood_weeks AS weeks FINAL
WHERE weeks.programme = @programme AND weeks.season = @season AND bitShiftRight(weeks.id, 108) >= @areas
