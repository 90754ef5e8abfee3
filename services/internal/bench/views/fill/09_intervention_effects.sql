-- One intervention in every fifth place, and what it did.
INSERT INTO prevention.intervention_effects
SELECT @programme, @newest, code, 'Vaccination bus', toDate32(@complete) - 60, toDate32(@complete) - 30, measure, toDate32(@complete), @id, 0.004, 0.001, 0.007, 0.01, 0.006, 7, ''
FROM prevention.geographies ARRAY JOIN ['weekly pace of quintile 1', 'gap'] AS measure WHERE level = 'place' AND toUInt32OrZero(substring(code, 4)) % 5 = 0
