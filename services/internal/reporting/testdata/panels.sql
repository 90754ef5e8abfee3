INSERT INTO prevention.geographies (level, code, name, place, system, region, generation) VALUES
('system', 'S1', 'Sys', '', 'S1', '', 1), ('place', 'P1', 'One', 'P1', 'S1', '', 1), ('place', 'P2', 'Two', 'P2', 'S1', '', 1),
('place', 'P3', 'Three', 'P3', 'S1', '', 1);
INSERT INTO prevention.completeness (programme, as_of, lag, basis, quintile_lags, last_complete, learnt_at) VALUES
('flu', today(), 4, 'learnt', [4, 4, 3, 2, 0], today() - 4, now64(3)), ('aimed', today(), 4, 'learnt', [4, 4, 3, 2, 0], today() - 4, now64(3));
INSERT INTO prevention.gap_days (programme, season, level, code, fifths, day, id, gap, gap_low, gap_high, all_covered, all_eligible, shown_covered, shown_eligible, uptake) VALUES
('flu', 'now', 'system', 'S1', 'national', today() - 2, 1, NULL, NULL, NULL, 0, 1000, [0, 0, 0, 0, 0, 0], [0, 200, 200, 200, 200, 200], [NULL, 0, 0, 0, 0, 0]),
('flu', 'now', 'place', 'P1', 'national', today() - 1, 1, 0.24, 0.21, 0.27, 500, 1000, [0, 100, 100, 100, 100, 100], [0, 200, 200, 200, 200, 200], [NULL, 0.5, 0.51, 0.52, 0.53, 0.54]),
('flu', 'last', 'place', 'P1', 'national', today() - 60, 1, NULL, NULL, NULL, 1005, 1000, [0, 205, 200, 200, 200, 200], [0, 200, 200, 200, 200, 200], [NULL, 1.025, 1, 1, 1, 1]);
INSERT INTO prevention.ethnicity_weeks (programme, season, day, place, system, quintile, ethnicity, id, covered, eligible, withheld, uptake) VALUES
('flu', 'last', toStartOfWeek(today() - 60, 0), 'P1', 'S1', 1, 'A', 1, 20, 100, '', 0.2);
INSERT INTO prevention.judged VALUES
('flu', 'last', 'place', 'P1', today() - 60, 'national', 'widening', today() - 60, 0, '', 'last season', today() - 425, 'Said of last season.', true, 0.13, 0.04, 0.02, 0.06, 0.02, 0.1, 1),
('aimed', 'run', 'place', 'P2', today() - 5, 'national', 'steady', today() - 60, 0, '', 'last season', today() - 425, 'Of the day before.', true, 0.13, 0.04, 0.02, 0.06, 0.02, 0.1, 1);
INSERT INTO prevention.gap_days (programme, season, level, code, fifths, day, id, gap, gap_low, gap_high, shown_covered, shown_eligible, withheld, uptake, short_target) VALUES
('aimed', 'run', 'place', 'P2', 'national', today() - 4, 1, 0.2, 0.18, 0.22, [0, 100, 100, NULL, 100, 100], [0, 200, 200, 200, 20, 200], ['', '', '', 'suppressed', '', ''], [NULL, 0.5, 0.5, NULL, 0.5, 0.5], [NULL, 1050, 50, NULL, NULL, 50]);
INSERT INTO prevention.loads (load, batch, kind, key) VALUES (1, 1, 'interventions', 'flu');
INSERT INTO prevention.interventions (batch, programme, geography, from_day, to_day, label) VALUES (1, 'flu', 'P1', today() - 150, today() - 120, 'Bus');
INSERT INTO prevention.gap_days (programme, season, level, code, fifths, day, id, shown_covered, shown_eligible, withheld)
SELECT 'flu', 'last', 'place', at.2, 'national', today() - at.1, 1, [0, at.3, 0, 0, 0, 900], [0, 1000, 0, 0, 0, 1000], ['', if(isNull(at.3), 'suppressed', ''), '', '', '', '']
FROM (SELECT arrayJoin([(193, 'P1', 300), (151, 'P1', 300), (120, 'P1', 300), (92, 'P1', 300), (193, 'P2', 100), (151, 'P2', 520), (120, 'P2', 830), (92, 'P2', 830),
    (193, 'P3', NULL), (151, 'P3', 500), (120, 'P3', 500), (92, 'P3', 500)]) AS at);
INSERT INTO prevention.neighbourhood_weeks (programme, season, day, place, system, code, id, covered, eligible, withheld, uptake) VALUES
('flu', 'last', toStartOfWeek(today() - 60, 0), 'P1', 'S1', 'N1', 1, 50, 100, '', 0.5), ('flu', 'last', toStartOfWeek(today() - 60, 0), 'P1', 'S1', 'N2', 1, NULL, 100, 'suppressed', NULL),
('flu', 'last', toStartOfWeek(today() - 60, 0), 'P1', 'S1', 'N3', 1, 0, 0, '', NULL);
INSERT INTO prevention.rejections (stream, sequence, at, sender, door, reason, field) VALUES (1, 1, now64(3), 'gp-north', 'fhir', 'bad day', 'DATE'), (1, 2, now64(3) - INTERVAL 3 DAY, 'gp-north', 'fhir', 'bad day', 'DATE'),
(1, 3, now64(3) - INTERVAL 3 DAY, 'gp-north', 'fhir', 'bad day', 'DATE'), (1, 4, now64(3) - INTERVAL 8 DAY, 'gp-north', 'fhir', 'bad day', 'DATE'), (1, 5, now64(3), 'gp-south', 'csv', 'bad day', 'DATE'),
(1, 6, now64(3), 'gp-south', 'csv', 'bad day', 'DATE'), (1, 7, now64(3), 'gp-south', 'collector', 'bad day', 'DATE')
