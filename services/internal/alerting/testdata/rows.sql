INSERT INTO prevention.geographies (level, code, name, place, system, region, generation) VALUES
('system', 'S1', 'Sys', '', 'S1', '', 1), ('place', 'P1', 'One', 'P1', 'S1', '', 1), ('place', 'P2', 'Two', 'P2', 'S1', '', 1),
('place', 'P3', 'Three', 'P3', 'S1', '', 1), ('place', 'P4', 'Four', 'P4', 'S1', '', 1), ('region', 'R1', 'Shire', '', '', 'R1', 1),
('neighbourhood', 'N1', 'Top', 'P1', 'S1', '', 1);
INSERT INTO prevention.completeness (programme, as_of, lag, basis, quintile_lags, last_complete, learnt_at) VALUES
('flu', today(), 4, 'learnt', [4, 4, 3, 2, 0], today() - 4, now64(3)), ('pox', today(), 4, 'learnt', [4, 4, 3, 2, 0], today() - 4, now64(3)), ('checks', today(), 7, 'learnt', [7, 7, 7, 7, 7], today() - 7, now64(3));
INSERT INTO prevention.judged VALUES
('flu', 'now', 'place', 'P1', today() - 4, 'national', 'widening', today() - 4, 0, '', 'last season', today() - 369, 'Flu in One: the gap is 14.3 points.', true, 0.143, 0.043, 0.02, 0.06, 0.02, 0.1, 1),
('flu', 'now', 'place', 'P2', today() - 4, 'local', 'not enough data', today() - 4, 0, 'would take 5', 'last season', today() - 369, 'Flu in Two: not enough data for a verdict: it would take 5.', true, 0.1, 0.01, -0.04, 0.06, 0.05, 0.1, 1),
('flu', 'now', 'place', 'P3', today() - 4, 'national', 'widening', today() - 4, 0, '', 'last season', today() - 369, 'Exact figures.', false, 0.1, 0.01, -0.04, 0.06, 0.05, 0.1, 1),
('flu', 'now', 'system', 'S1', today() - 4, 'national', 'widening', today() - 4, 0, '', 'last season', today() - 369, 'Flu in Sys: the gap is 12 points.', true, 0.12, 0.02, 0.01, 0.03, 0.01, 0.1, 1),
('flu', 'last', 'place', 'P1', today() - 60, 'national', 'widening', today() - 60, 0, '', 'last season', today() - 425, 'Flu in One: the gap is 13 points.', true, 0.13, 0.04, 0.02, 0.06, 0.02, 0.1, 1);
INSERT INTO prevention.gap_days (programme, season, level, code, fifths, day, id, gap, gap_low, gap_high, not_computed) VALUES
('flu', 'now', 'place', 'P1', 'national', today() - 4, 1, 0.24, 0.21, 0.27, ''), ('flu', 'now', 'place', 'P1', 'national', today() - 3, 1, 0.99, 0.98, 1, ''),
('flu', 'now', 'place', 'P1', 'local', today() - 4, 1, 0.9, 0.9, 0.9, ''),
('flu', 'now', 'place', 'P2', 'local', today() - 4, 1, 0.24, 0.19, 0.29, ''), ('flu', 'now', 'place', 'P2', 'national', today() - 4, 1, 0.9, 0.9, 0.9, ''),
('flu', 'now', 'place', 'P3', 'national', today() - 4, 1, NULL, NULL, NULL, 'gap: quintile 5 is withheld'),
('flu', 'last', 'place', 'P1', 'national', today() - 60, 1, 0.5, 0.4, 0.6, '');
INSERT INTO prevention.last_days (programme, season, level, code, day, id, all_uptake, unknown_area, uptake, against, expected, chance, why) VALUES
('flu', 'now', 'place', 'P1', today() - 4, 1, 0.5, 0.01, [0.5, 0.4, 0.44, NULL, 0.5, 0.5], today() - 369, [NULL, 0.46, 0.46, NULL, 0.5, 0.5], [NULL, 0.02, 0.02, NULL, 0.02, 0.02],
    ['unknown', '', '', 'the figures are withheld', '', '']),
('flu', 'now', 'place', 'P2', today() - 4, 1, 0.5, 0.01, [0.5, 0.4, 0.44, 0.5, 0.5, 1.04], today() - 369, [NULL, 0.4, 0.4, 0.4, 0.5, 0.5], [NULL, 0.02, 0.02, 0.02, 0.02, 0.02], ['unknown', '', '', '', '', '']);
INSERT INTO prevention.arrivals SELECT 'QUIET', toStartOfHour(now(), 'UTC') - INTERVAL h HOUR AS hour, hour, hour FROM (SELECT arrayJoin(range(100, 150)) AS h);
INSERT INTO prevention.arrivals SELECT arrayJoin(['BUSY', '']), toStartOfHour(now(), 'UTC') - INTERVAL h HOUR AS hour, hour, hour FROM (SELECT arrayJoin(range(0, 50)) AS h);
INSERT INTO prevention.dead_letters (stream, sequence, reason, field, at) SELECT 1, number, 'bad LSOA', 'data.lsoa', now64(3) FROM numbers(40);
INSERT INTO prevention.dead_letters (stream, sequence, reason, field, at) SELECT 1, 100 + number, 'bad LSOA', 'data.lsoa', toStartOfHour(now64(3)) - INTERVAL number + 3 HOUR FROM numbers(40);
INSERT INTO prevention.heartbeats (at, taken_at, stored, dead_lettered, lost, waiting, unaccounted) VALUES (now64(3), now64(3), 100, 80, 2, 3, 8);
