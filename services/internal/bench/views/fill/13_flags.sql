-- One neighbourhood in ten is left behind by a list that is loaded once.
INSERT INTO prevention.flags (batch, code, label, source, from_day, to_day)
SELECT 1000, code, 'left behind', 'bench', '2020-01-01', '2299-12-31' FROM prevention.geographies
WHERE level = 'neighbourhood' AND sipHash64(code) % 10 = 0 AND @programme = @first
