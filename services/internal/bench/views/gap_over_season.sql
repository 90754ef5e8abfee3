-- The gap of a place, day by day.
SELECT day, complete, gap, gap_low, gap_high, sii, sii_low, sii_high
FROM reporting.gap
WHERE programme = @programme AND season = @season AND level = 'place' AND code = @place AND fifths = 'national'
ORDER BY day
