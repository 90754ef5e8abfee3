-- Rows by hand in the tables behind the views. 987654321 stands wherever an exact figure stands that nobody may see.

INSERT INTO prevention.geographies (level, code, name, place, system, region, generation) VALUES
('england', 'E92000001', 'England', '', '', '', 1),
('region', 'X12000001', 'Eastshire', '', '', 'X12000001', 1),
('system', 'X54000001', 'Old name', '', 'X54000001', 'X12000001', 1),
('system', 'X54000001', 'Eastshire and Westshire', '', 'X54000001', 'X12000001', 2),
('place', 'X07000001', 'Northmoor', 'X07000001', 'X54000001', 'X12000001', 1),
('place', 'X07000002', 'Southmere', 'X07000002', 'X54000001', 'X12000001', 1),
('pcn', 'SYNP01', 'Moor Network', '', '', '', 1),
('neighbourhood', 'X02000001', 'Moor Top', 'X07000001', 'X54000001', 'X12000001', 1),
('neighbourhood', 'X02000002', 'Moor End', 'X07000001', 'X54000001', 'X12000001', 1);

INSERT INTO prevention.completeness (programme, as_of, lag, basis, quintile_lags, last_complete, learnt_at) VALUES
('flu', '2026-11-21', 5, 'too few events', [0, 0, 0, 0, 0], '2026-11-16', '2026-11-21 03:00:00'),
('flu', '2026-11-22', 4, 'learnt', [4, 4, 3, 2, 0], '2026-11-18', '2026-11-22 03:00:00'),
('checks', '2026-11-22', 7, 'learnt', [7, 7, 7, 7, 7], '2026-11-15', '2026-11-22 03:00:00');

-- Quintile 2 is withheld. The first row was replaced by the second. The third is provisional, the fourth of a season
-- that is over, the fifth of local fifths with everything withheld.
INSERT INTO prevention.gap_days (programme, season, level, code, fifths, day, id, content, covered, eligible, shown_covered, shown_eligible, withheld,
    all_covered, all_eligible, uptake, uptake_low, uptake_high, pace, short_best, short_target, gap, gap_low, gap_high, sii, biggest_win, not_computed) VALUES
('flu', '2026-27', 'place', 'X07000001', 'national', '2026-11-18', 1, 987654321, [1], [1], [NULL], [NULL], ['suppressed'],
    1, 1, [1], [1], [1], [1], [1], [1], 0.99, 0.99, 0.99, 0.99, 5, 'replaced'),
('flu', '2026-27', 'place', 'X07000001', 'national', '2026-11-18', 987654321, 987654321,
    [987654321, 987654321, 987654321, 987654321, 987654321, 987654321], [987654321, 987654321, 987654321, 987654321, 987654321, 987654321],
    [50, 400, NULL, 500, 500, 600], [100, 1000, 10, 1000, 1000, 1000], ['', '', 'suppressed', '', '', ''],
    2050, 4110, [0.5, 0.4, NULL, 0.5, 0.5, 0.6], [0.4, 0.37, NULL, 0.47, 0.47, 0.57], [0.6, 0.43, NULL, 0.53, 0.53, 0.63],
    [0.01, 0.02, NULL, 0.03, 0.04, 0.05], [NULL, 200, NULL, 100, 100, 0], [NULL, 350, NULL, 250, 250, 150],
    0.2, 0.15, 0.25, NULL, 3, 'sii: quintile 2 is withheld\nrii: quintile 2 is withheld');
INSERT INTO prevention.gap_days (programme, season, level, code, fifths, day, id, shown_covered, shown_eligible, withheld, all_covered, all_eligible, uptake, gap) VALUES
('flu', '2026-27', 'place', 'X07000001', 'national', '2026-11-19', 1, [0, 1, 2, 3, 4, 5], [9, 9, 9, 9, 9, 9], ['', '', '', '', '', ''], 15, 54, [0, 0.1, 0.2, 0.3, 0.4, 0.5], 0.4),
('flu', '2025-26', 'place', 'X07000001', 'national', '2026-03-31', 1, [0, 1, 2, 3, 4, 5], [9, 9, 9, 9, 9, 9], ['', '', '', '', '', ''], 15, 54, [0, 0.1, 0.2, 0.3, 0.4, 0.5], 0.4),
('flu', '2026-27', 'place', 'X07000001', 'local', '2026-11-18', 1, [NULL, NULL, NULL, NULL, NULL, NULL], [NULL, NULL, NULL, NULL, NULL, NULL],
    ['hidden', 'hidden', 'hidden', 'hidden', 'hidden', 'hidden'], NULL, NULL, [NULL, NULL, NULL, NULL, NULL, NULL], NULL),
('checks', 'rolling', 'pcn', 'SYNP01', 'national', '2026-11-15', 1, [0, 1, 2, 3, 4, 5], [9, 9, 9, 9, 9, 9], ['', '', '', '', '', ''], 15, 54, [0, 0.1, 0.2, 0.3, 0.4, 0.5], 0.4),
('theirs', '2027-28', 'published series', 'X12000001', 'national', '2027-12-01', 1, [0, 1, 2, 3, 4, 5], [9, 9, 9, 9, 9, 9], ['', '', '', '', '', ''], 15, 54, [0, 0.1, 0.2, 0.3, 0.4, 0.5], 0.4),
('unread', 'rolling', 'system', 'X54000001', 'national', '2026-11-15', 1, [0, 1, 2, 3, 4, 5], [9, 9, 9, 9, 9, 9], ['', '', '', '', '', ''], 0, 0, [0, 0.1, 0.2, 0.3, 0.4, 0.5], 0.4);

INSERT INTO prevention.neighbourhood_weeks VALUES
('flu', '2026-27', '2026-11-15', 'X07000001', 'X54000001', 'X02000001', 987654321, 300, 1000, '', 0.3, 0.27, 0.33, 450, 0.02, 1, 11),
('flu', '2026-27', '2026-11-15', 'X07000001', 'X54000001', 'X02000002', 987654321, 310, 1000, '', 0.31, 0.28, 0.34, 440, 0.02, 2, 11),
('flu', '2026-27', '2026-11-15', 'X07000001', 'X54000001', 'X02000003', 987654321, 320, 1000, '', 0.32, 0.29, 0.35, 430, 0.02, 3, 11),
('flu', '2026-27', '2026-11-15', 'X07000002', 'X54000001', '', 987654321, NULL, NULL, 'hidden', NULL, NULL, NULL, NULL, NULL, 0, 0),
('flu', '2026-27', '2026-11-22', 'X07000001', 'X54000001', 'X02000001', 987654321, 330, 1000, '', 0.33, 0.3, 0.36, 420, 0.02, 1, 11);

-- The first list of left behind areas was replaced by the second.
INSERT INTO prevention.flags (batch, code, label, source, from_day, to_day) VALUES
(1, 'X02000002', 'left behind', 'OCSI', '2020-01-01', '2299-12-31'),
(2, 'X02000001', 'left behind', 'OCSI', '2020-01-01', '2026-11-20'),
(3, 'X02000001', 'coastal', 'council', '2026-11-15', '2026-11-15'),
(3, 'X02000001', 'coastal', 'council', '2026-11-10', '2026-11-20'),
(9, 'X02000003', 'never committed', 'nobody', '2020-01-01', '2299-12-31');
INSERT INTO prevention.loads (load, batch, kind, key) VALUES (1, 1, 'flags', 'left behind\tOCSI'), (2, 2, 'flags', 'left behind\tOCSI'), (3, 3, 'flags', 'coastal\tcouncil'),
(4, 4, 'interventions', 'flu'), (5, 5, 'interventions', 'flu'), (6, 6, 'history', 'theirs/2027-28/X12000001');

INSERT INTO prevention.ethnicity_weeks VALUES
('flu', '2026-27', '2026-11-15', 'X07000001', 'X54000001', 1, 'K', 987654321, NULL, 20, 'suppressed', NULL),
('flu', '2026-27', '2026-11-15', 'X07000001', 'X54000001', 5, 'A', 987654321, 600, 1000, '', 0.6),
('flu', '2026-27', '2026-11-15', 'X07000001', 'X54000001', 0, '', 987654321, 10, NULL, 'no denominator', NULL);

INSERT INTO prevention.judged VALUES
('flu', '2026-27', 'place', 'X07000001', '2026-11-17', 'national', 'steady', '2026-11-01', 0, '', 'last season', '2025-11-17', 'An older day.', true, 0.1, 0, -0.01, 0.01, 0.02, 0.1, 987654321),
('flu', '2026-27', 'place', 'X07000001', '2026-11-18', 'national', 'widening', '2026-11-18', 0, '', 'last season', '2025-11-18',
    'Flu in Northmoor: the gap is 9.4 points.', true, 0.0944987654321, 0.0206987654321, 0.0134987654321, 0.0291987654321, 0.0154987654321, 0.1104987654321, 987654321),
('flu', '2026-27', 'place', 'X07000002', '2026-11-18', 'national', 'not enough data', '2026-11-01', 0, 'it would take a change of 9.87654321 points', 'last season', '1970-01-01',
    'The gap is 9.87654321 points.', false, 0.0987654321, 0.0987654321, 0.0987654321, 0.0987654321, 0.0987654321, 0.0987654321, 987654321),
('flu', '2025-26', 'system', 'X54000001', '2026-03-31', 'national', 'narrowing', '2026-03-01', 0, '', 'last season', '2025-03-31', 'Narrower.', true, NULL, -0.02, NULL, NULL, NULL, NULL, 987654321);

INSERT INTO prevention.verdict_log VALUES
('flu/2026-27/X07000001/1', 'flu', '2026-27', 'place', 'X07000001', 'Northmoor then', 1, 'steady', '', '2026-10-30', '2026-11-03 04:00:00', 'national', 'last season', '2025-10-30',
    'The gap is 9.87654321 points.', false, 0.0987654321, 0.0987654321, 0.0987654321, 0.0987654321, 0.0987654321, 987654321),
('flu/2026-27/X07000001/2', 'flu', '2026-27', 'place', 'X07000001', 'Northmoor', 2, 'widening', 'steady', '2026-11-18', '2026-11-22 04:00:00', 'national', 'last season', '2025-11-18',
    'Flu in Northmoor: the gap is 9.4 points.', true, 0.0944987654321, 0.0206987654321, 0.0134987654321, 0.0291987654321, 0.1104987654321, 987654321);
INSERT INTO prevention.verdict_published (event_id, published_at) VALUES ('flu/2026-27/X07000001/1', '2026-11-03 04:00:01');

INSERT INTO prevention.trajectories VALUES
('flu', '2026-27', 'place', 'X07000001', 1, '2026-11-18', 987654321, 'shape of last season', 'unlikely this season', 0.4, 0.6, 0.55, 0.65, NULL, '2027-03-30', NULL, 0.02, 20),
('flu', '2026-27', 'place', 'X07000001', 5, '2026-11-18', 987654321, 'shape of last season', 'expected', 0.6, 0.8, 0.78, 0.82, '2027-01-10', '2027-01-05', '2027-01-15', 0.01, 10);

INSERT INTO prevention.interventions (batch, programme, geography, from_day, to_day, label) VALUES
(4, 'flu', 'X07000001', '2026-10-01', '2026-10-31', 'Replaced'),
(5, 'flu', 'X07000001', '2026-10-10', '2026-10-31', 'Bus'),
(5, 'flu', 'X54000001', '2026-11-01', '2299-12-31', 'Letters'),
(9, 'flu', 'X07000001', '2026-10-10', '2026-10-31', 'Never committed');
INSERT INTO prevention.intervention_effects VALUES
('flu', '2026-27', 'X07000001', 'Bus', '2026-10-10', '2026-10-31', 'gap', '2026-11-18', 987654321, -0.01, -0.02, -0.001, -0.005, 0.005, 6, ''),
('flu', '2026-27', 'X07000001', 'Bus', '2026-10-10', '2026-10-31', 'weekly pace of quintile 1', '2026-11-18', 987654321, NULL, NULL, NULL, NULL, NULL, 4, 'not enough places'),
('flu', '2026-27', 'X07000001', 'Replaced', '2026-10-01', '2026-10-31', 'gap', '2026-11-18', 987654321, 1, 1, 1, 1, 1, 6, '');

INSERT INTO prevention.history (batch, programme, season, geography, day, quintile, covered, eligible) VALUES
(6, 'theirs', '2027-28', 'X12000001', '2027-12-01', 1, 40, 100), (6, 'theirs', '2027-28', 'X12000001', '2027-12-01', 0, 0, 0),
(7, 'theirs', '2027-28', 'X12000001', '2027-12-01', 1, 77, 100);

-- Providers, by what a materialized view makes of events: A is within its usual pause, B is not, C and the one without a code
-- are too new to say, D has been gone for long, and its one pause of a month is longer ago than counts, E for nearly 90 days, F for
-- more, G within the hour of grace. Everything comes twice.
INSERT INTO prevention.events (programme, season, person, record_id, time, precedence, stream, sequence, status, day, provider, received)
SELECT 'flu', '2026-27', generateUUIDv4(), generateUUIDv4(), received, 0, 1, rowNumberInAllBlocks(), 'completed', '2026-11-18', provider, toStartOfHour(now(), 'UTC') - INTERVAL hour HOUR AS received
FROM (SELECT arrayJoin(arrayConcat(arrayMap(h -> ('SYNA', h), arrayConcat([5], range(17, 60), range(17, 60))), arrayMap(h -> ('SYNB', h), range(3, 30)),
    arrayMap(h -> ('SYNC', h), range(900, 910)), arrayMap(h -> ('', h), range(1680, 2100, 24)), arrayMap(h -> ('SYND', h), arrayPushBack(range(700, 1420, 24), 2140)),
    arrayMap(h -> ('SYNE', h), range(2100, 3445, 24)), arrayMap(h -> ('SYNF', h), range(2200, 2900, 24)))) AS one, one.1 AS provider, one.2 AS hour);
INSERT INTO prevention.events (programme, season, person, record_id, time, precedence, stream, sequence, status, day, provider, received)
SELECT 'flu', '2026-27', generateUUIDv4(), generateUUIDv4(), received, 0, 1, 1000 + number, 'completed', '2026-11-18', 'SYNG',
    toStartOfHour(now(), 'UTC') - INTERVAL 2 + number HOUR + toIntervalMillisecond(17 * 60000 + 42123) AS received FROM numbers(29);
INSERT INTO prevention.events SELECT * FROM prevention.events;

INSERT INTO prevention.handled (stream, sequence, outcome, reason, field, handled_at) VALUES
(1, 1, 'stored', '', '', now64(3) - INTERVAL 50 HOUR),
(1, 2, 'dead letter', 'bad LSOA', 'data.lsoa', toStartOfHour(now64(3)) - INTERVAL 49 HOUR),
(1, 3, 'dead letter', 'bad LSOA', 'data.lsoa', toStartOfHour(now64(3)) - INTERVAL 49 HOUR),
(1, 4, 'dead letter', 'not JSON', 'payload', toStartOfHour(now64(3)) - INTERVAL 5 HOUR),
(1, 5, 'dead letter', '', '', toStartOfHour(now64(3)) - INTERVAL 5 HOUR);
INSERT INTO prevention.handled (stream, sequence, outcome, reason, field) SELECT 1, 10 + number, 'dead letter', 'not JSON', 'payload' FROM numbers(12);
INSERT INTO prevention.handled (stream, sequence, outcome, reason, field) SELECT stream, sequence, outcome, reason, field FROM prevention.handled WHERE sequence < 10;

INSERT INTO prevention.rejections (stream, sequence, at, sender, door, reason, field) SELECT 1, number, toStartOfHour(now64(3)) - INTERVAL 3 HOUR, 'gp-north', if(number < 3, 'csv', 'fhir'), 'bad day', 'DATE' FROM numbers(7);
INSERT INTO prevention.rejections (stream, sequence, at, sender, door, reason, field) SELECT stream, sequence, at, sender, door, reason, field FROM prevention.rejections;

INSERT INTO prevention.heartbeats VALUES
(toStartOfInterval(now64(3), INTERVAL 15 SECOND) - INTERVAL 25 HOUR, now64(3) - INTERVAL 25 HOUR, 900, 8, 2, 0, 2, 0, 0, 0.1, 0, 4.5),
(toStartOfInterval(now64(3), INTERVAL 15 SECOND), now64(3) - INTERVAL 2 SECOND, 990, 9, 2, 7, 2, 1, 0, 0.1, 0, 4.5),
(toStartOfInterval(now64(3), INTERVAL 15 SECOND), now64(3), 1000, 10, 3, 5, 4, 2, 1, 0.25, 0.01, 5);

-- Northmoor is behind in quintile 1 and, by less than chance makes, in 2. Quintile 3 is ahead, of 4 and 5 nothing can be said.
-- Southmere has gone: the other rows are of a later id. The season before is nobody's any more.
INSERT INTO prevention.last_days (programme, season, level, code, day, id, all_uptake, unknown_area, uptake, against, expected, chance, why) VALUES
('flu', '2026-27', 'place', 'X07000001', '2026-11-18', 987654321, 0.5, 0.2, [0.5, 0.4, 0.4, 0.5, NULL, 1.04], '2025-11-18', [NULL, 0.46, 0.46, 0.4, NULL, NULL],
    [NULL, 0.02, 0.1, 0.01, NULL, NULL], ['unknown', '', '', '', 'the figures are withheld', 'fewer than 100 people are eligible']),
('flu', '2026-27', 'pcn', 'SYNP01', '2026-11-18', 987654321, 1.25, 0.3, [0.5, 0.4, 0.4, 0.5, NULL, 0.9], NULL, [NULL, NULL, NULL, NULL, NULL, NULL],
    [NULL, NULL, NULL, NULL, NULL, NULL], ['', '', '', '', '', '']),
('flu', '2026-27', 'place', 'X07000002', '2026-11-18', 3, 0.5, 0.2, [0.5, 2, 2, 2, 2, 2], '2025-11-18', [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], ['', '', '', '', '', '']),
('flu', '2025-26', 'place', 'X07000001', '2026-03-31', 2, 0.5, 0.2, [0.5, 2, 2, 2, 2, 2], '2025-03-31', [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], ['', '', '', '', '', '']);
-- A later snapshot of the system, with measures.
INSERT INTO prevention.last_days (programme, season, level, code, day, id, all_uptake, unknown_area, uptake, covered, eligible, short_best, short_target, gap, gap_low, gap_high, biggest_win, not_computed) VALUES
('checks', 'rolling', 'system', 'X54000001', '2026-11-14', 1, 0.9, 0.01, [0, 1, 1, 1, 1, 1], 1, 1, 1, 1, 0.9, 0.9, 0.9, 5, 'replaced'),
('checks', 'rolling', 'system', 'X54000001', '2026-11-15', 2, 0.5, 0.01, [0.5, 0.4, 0.4, 0.5, NULL, 0.6], 2050, 4110, 400, 1000, 0.2, 0.15, 0.25, 3, 'sii: quintile 4 is withheld');
