package reporting_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reporting"
	"gapwatch/services/internal/store"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// settings are the programmes of testdata/rows.sql. Those named theirs and unread are in no programme file.
func settings() *programme.Set {
	return programme.NewSet(2025,
		&programme.Programme{ID: "flu", Name: "Flu", Kind: programme.Seasonal, Target: 75, HistoryFrom: calendar.Date(2025, 9, 1), Eligible: "People over 65", Source: "a letter",
			Limits: programme.Limits{Floor: 100, SmallestChange: 1, UnknownArea: 5, Ceiling: 20, Behind: 5},
			Seasons: []programme.Season{{ID: "2025-26", Start: calendar.Date(2025, 10, 1), End: calendar.Date(2026, 3, 31)},
				{ID: "2026-27", Start: calendar.Date(2026, 10, 1), End: calendar.Date(2027, 3, 31)},
				{ID: "2027-28", Start: calendar.Date(2027, 10, 1), End: calendar.Date(2028, 3, 31)}}},
		&programme.Programme{ID: "checks", Name: "Checks", Kind: programme.Rolling, HistoryFrom: calendar.Date(2022, 4, 1), Target: 60},
	)
}

var fill sync.Once

// views is a store with the rows of testdata/rows.sql, as a function that answers a query of SQL with tab-separated lines.
func views(t *testing.T) func(query string) string {
	t.Helper()
	url := enginetest.URL(t)
	ask := func(query string) string {
		t.Helper()
		answer, err := http.Post(url+"/?default_format=TSV", "text/plain", strings.NewReader(query))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusOK {
			return "error: " + string(text)
		}
		return strings.TrimSuffix(string(text), "\n")
	}
	fill.Do(func() {
		ctx := context.Background()
		if err := store.Migrate(ctx, url); err != nil {
			t.Fatal(err)
		}
		conn, err := store.Open(url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // nothing is left unwritten
		before := settings()
		before.Programmes[0].Name = "Replaced"
		for i, set := range []*programme.Set{before, settings()} {
			if err := reporting.WriteProgrammes(ctx, conn, set, time.Date(2026, 11, 22, i, 0, 0, 0, time.UTC)); err != nil {
				t.Fatal(err)
			}
		}
		rows, err := os.ReadFile("testdata/rows.sql")
		if err != nil {
			t.Fatal(err)
		}
		for statement := range strings.SplitSeq(regexp.MustCompile(`(?m)^--.*\n`).ReplaceAllString(string(rows), ""), ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if text := ask(statement); text != "" {
				t.Fatal(text)
			}
		}
	})
	return ask
}

// TestRows asks the views for what testdata/rows.sql says.
func TestRows(t *testing.T) {
	ask := views(t)
	for name, c := range map[string]struct{ query, want string }{
		"uptake, one quintile withheld, the replaced row gone": {
			`SELECT programme_name, name, system_name, region_name, complete, season_day, quintile, quintile_label, covered, eligible, withheld,
				uptake, uptake_low, uptake_high, pace, short_to_best, short_to_target, target
			 FROM reporting.uptake WHERE programme = 'flu' AND season = '2026-27' AND fifths = 'national' AND day = '2026-11-18' ORDER BY quintile`,
			`Flu	Northmoor	Eastshire and Westshire	Eastshire	true	49	0	unknown	50	100		0.5	0.4	0.6	0.01	\N	\N	0.75
Flu	Northmoor	Eastshire and Westshire	Eastshire	true	49	1	1 (most deprived, Core20)	400	1000		0.4	0.37	0.43	0.02	200	350	0.75
Flu	Northmoor	Eastshire and Westshire	Eastshire	true	49	2	2	\N	10	suppressed	\N	\N	\N	\N	\N	\N	0.75
Flu	Northmoor	Eastshire and Westshire	Eastshire	true	49	3	3	500	1000		0.5	0.47	0.53	0.03	100	250	0.75
Flu	Northmoor	Eastshire and Westshire	Eastshire	true	49	4	4	500	1000		0.5	0.47	0.53	0.04	100	250	0.75
Flu	Northmoor	Eastshire and Westshire	Eastshire	true	49	5	5 (least deprived)	600	1000		0.6	0.57	0.63	0.05	0	150	0.75`},
		"local fifths are not Core20": {
			`SELECT quintile_label, covered, withheld FROM reporting.uptake WHERE fifths = 'local' AND quintile IN (1, 2, 5) ORDER BY quintile`,
			"1 (most deprived of this geography)\t\\N\thidden\n2\t\\N\thidden\n5 (least deprived of this geography)\t\\N\thidden"},
		"gap": {
			`SELECT covered, eligible, round(uptake, 4), round(unknown_area, 4), uptake_1, uptake_2, uptake_3, uptake_4, uptake_5, gap, gap_low, gap_high, sii, not_computed,
				short_to_best, short_to_target, biggest_win
			 FROM reporting.gap WHERE programme = 'flu' AND season = '2026-27' AND fifths = 'national' AND day = '2026-11-18'`,
			`2050	4110	0.4988	0.0244	0.4	\N	0.5	0.5	0.6	0.2	0.15	0.25	\N	sii: quintile 2 is withheld\nrii: quintile 2 is withheld	400	1000	3`},
		"all withheld": {
			`SELECT covered, eligible, uptake, unknown_area, uptake_1, gap, short_to_best, short_to_target, biggest_win FROM reporting.gap WHERE fifths = 'local'`,
			`\N	\N	\N	\N	\N	\N	\N	\N	\N`},
		"complete, provisional, a season that is over, a published series, a programme without a lag": {
			`SELECT programme, programme_name, season, name, day, complete, season_day, uptake > 0 FROM reporting.gap WHERE fifths = 'national' ORDER BY programme, season, day`,
			`checks	Checks	rolling	Moor Network	2026-11-15	true	\N	1
flu	Flu	2025-26	Northmoor	2026-03-31	true	182	1
flu	Flu	2026-27	Northmoor	2026-11-18	true	49	1
flu	Flu	2026-27	Northmoor	2026-11-19	false	50	1
theirs	theirs	2027-28	Eastshire	2027-12-01	true	\N	1
unread	unread	rolling	Eastshire and Westshire	2026-11-15	false	\N	\N`},
		"neighbourhoods and the flags in force": {
			`SELECT day, place_name, system_name, region_name, name, uptake, short_to_target, rank, ranked, furthest_behind, flags, withheld FROM reporting.neighbourhoods ORDER BY day, place_code, code`,
			`2026-11-15	Northmoor	Eastshire and Westshire	Eastshire	Moor Top	0.3	450	1	11	true	coastal, left behind	
2026-11-15	Northmoor	Eastshire and Westshire	Eastshire	Moor End	0.31	440	2	11	true		
2026-11-15	Northmoor	Eastshire and Westshire	Eastshire	X02000003	0.32	430	3	11	false		
2026-11-15	Southmere	Eastshire and Westshire	Eastshire	unknown	\N	\N	\N	0	false		hidden
2026-11-22	Northmoor	Eastshire and Westshire	Eastshire	Moor Top	0.33	420	1	11	true		`},
		"ethnicity": {
			`SELECT place_name, quintile_label, ethnicity_label, covered, eligible, withheld, uptake FROM reporting.ethnicity ORDER BY quintile`,
			`Northmoor	unknown	Not said	10	\N	no denominator	\N
Northmoor	1 (most deprived, Core20)	Asian: Bangladeshi	\N	20	suppressed	\N
Northmoor	5 (least deprived)	White: British	600	1000		0.6`},
		"verdicts, rounded, withheld, over": {
			`SELECT season, name, system_name, day, over, verdict, against, figures_shown, sentence, missing, gap, change, change_low, change_high, needed, sii, ceiling FROM reporting.verdicts ORDER BY season, code`,
			`2025-26	Eastshire and Westshire	Eastshire and Westshire	2026-03-31	true	narrowing	2025-03-31	true	Narrower.		\N	-0.02	\N	\N	\N	\N	0.2
2026-27	Northmoor	Eastshire and Westshire	2026-11-18	false	widening	2025-11-18	true	Flu in Northmoor: the gap is 9.4 points.		0.094	0.021	0.013	0.029	0.015	0.11	0.2
2026-27	Southmere	Eastshire and Westshire	2026-11-18	false	not enough data	\N	false	Flu in Southmere: not enough data. The figures are withheld: too few people stand behind them.		\N	\N	\N	\N	\N	\N	0.2`},
		"verdict changes, one published": {
			`SELECT n, name, verdict, previous, day, decided_at, published_at, figures_shown, sentence, gap, change, change_low, change_high, sii FROM reporting.verdict_changes ORDER BY n`,
			`1	Northmoor then	steady		2026-10-30	2026-11-03 04:00:00.000	2026-11-03 04:00:01.000	false	Flu in Northmoor then: steady. The figures are withheld: too few people stand behind them.	\N	\N	\N	\N	\N
2	Northmoor	widening	steady	2026-11-18	2026-11-22 04:00:00.000	\N	true	Flu in Northmoor: the gap is 9.4 points.	0.094	0.021	0.013	0.029	0.11`},
		"trajectory": {
			`SELECT name, quintile_label, status, projected, projected_low, projected_high, target, reached_on, reached_earliest, reached_latest, pace_needed, people_needed FROM reporting.trajectory ORDER BY quintile`,
			`Northmoor	1 (most deprived, Core20)	unlikely this season	0.6	0.55	0.65	0.75	\N	2027-03-30	\N	0.02	20
Northmoor	5 (least deprived)	expected	0.8	0.78	0.82	0.75	2027-01-10	2027-01-05	2027-01-15	0.01	10`},
		"interventions, looked at or not": {
			`SELECT level, name, label, from_day, to_day, season, measure, day, effect, low, high, here, elsewhere, places, not_computed FROM reporting.interventions ORDER BY label, measure`,
			`place	Northmoor	Bus	2026-10-10	2026-10-31	2026-27	gap	2026-11-18	-0.01	-0.02	-0.001	-0.005	0.005	6	
place	Northmoor	Bus	2026-10-10	2026-10-31	2026-27	weekly pace of quintile 1	2026-11-18	\N	\N	\N	\N	\N	4	not enough places
system	Eastshire and Westshire	Letters	2026-11-01	\N			\N	\N	\N	\N	\N	\N	\N	not looked at yet`},
		"complete days": {
			`SELECT programme_name, last_complete, lag_days, basis, lag_days_1, lag_days_2, lag_days_3, lag_days_4, lag_days_5, as_of FROM reporting.complete_days ORDER BY programme`,
			"Checks\t2026-11-15\t7\tlearnt\t7\t7\t7\t7\t7\t2026-11-22\nFlu\t2026-11-18\t4\tlearnt\t4\t4\t3\t2\t\\N\t2026-11-22"},
		"seasons that have begun": {
			`SELECT programme_name, season, starts_on, ends_on, newest, over, last_complete_day, last_week, previous_season, previous_ahead FROM reporting.seasons ORDER BY programme, season`,
			`Checks	rolling	2022-04-01	\N	true	false	2026-11-15	2026-11-15		\N
Flu	2025-26	2025-10-01	2026-03-31	false	true	2026-03-31	2026-03-29		\N
Flu	2026-27	2026-10-01	2027-03-31	true	false	2026-11-18	2026-11-15	2025-26	365`},
		"programmes": {
			`SELECT programme, programme_name, position, kind, eligible_group, target, ceiling, behind, smallest_change, floor, unknown_area, imd_edition, history_from, source FROM reporting.programmes ORDER BY position`,
			"flu\tFlu\t1\tseasonal\tPeople over 65\t0.75\t0.2\t0.05\t0.01\t100\t0.05\t2025\t2025-09-01\ta letter\nchecks\tChecks\t2\trolling\t\t0.6\t0\t0\t0\t0\t0\t2025\t2022-04-01\t"},
		"feed, the later of two heartbeats": {
			`SELECT stored, dead_lettered, lost, waiting, unaccounted, oldest_waiting_seconds, behind_seconds, stream_full, dead_letters_full, events_per_second FROM reporting.feed ORDER BY at`,
			"900\t8\t2\t0\t2\t0\t0\t0.1\t0\t4.5\n1000\t10\t3\t5\t4\t2\t1\t0.25\t0.01\t5"},
		"feed now": {
			`SELECT age_seconds < 100, stored, dead_lettered, lost, lost_last_day, waiting, unaccounted, oldest_waiting_seconds, behind_seconds, stream_full, events_per_second, stale, sentence FROM reporting.feed_now`,
			"1\t1000\t10\t3\t1\t5\t4\t2\t1\t0.25\t5\tfalse\tMessages lost in the last 24 hours, because they left the stream before anybody read them: 1."},
		"providers, silent by their own pauses": {
			`SELECT provider, quiet_hours, pauses, usual_pause_hours, silent, replaceRegexpOne(sentence, 'on .* UTC', 'then'), dateDiff('hour', last_event, now()) = quiet_hours, dateDiff('hour', first_event, last_event)
			 FROM reporting.providers ORDER BY provider`,
			`	1680	17	\N	false	Events without a provider: quiet for 1680 hours, the last event came in then; how long it usually pauses is not known yet.	1	408
SYNA	5	43	12	false	Provider SYNA: not silent, the last event came in then; 99 of 100 pauses take at most 12 hours.	1	54
SYNB	3	26	1	true	Provider SYNB: silent for 3 hours, the last event came in then; 99 of 100 pauses take at most 1 hours.	1	26
SYNC	900	9	\N	false	Provider SYNC: quiet for 900 hours, the last event came in then; how long it usually pauses is not known yet.	1	9
SYND	700	29	24	true	Provider SYND: silent for 700 hours, the last event came in then; 99 of 100 pauses take at most 24 hours.	1	1440
SYNE	2100	56	24	true	Provider SYNE: silent for 2100 hours, the last event came in then; 99 of 100 pauses take at most 24 hours.	1	1344
SYNG	2	28	1	false	Provider SYNG: not silent, the last event came in then; 99 of 100 pauses take at most 1 hours.	1	28`},
		"providers, to the minute": {
			`SELECT toTypeName(first_event) = 'DateTime(\'UTC\')', toTypeName(last_event) = 'DateTime(\'UTC\')', toSecond(first_event), toSecond(last_event), toMinute(last_event)
			 FROM reporting.providers WHERE provider = 'SYNG'`,
			`1	1	0	0	17`},
		"dead letters, each once and in its first hour": {
			`SELECT dateDiff('hour', hour, now()), reason, field, letters FROM reporting.dead_letters WHERE hour < now() - INTERVAL 2 HOUR ORDER BY hour, reason`,
			"49\tbad LSOA\tdata.lsoa\t2\n5\tnot JSON\tpayload\t1\n5\tnot recorded\t\t1"},
		"rejections, each once": {
			`SELECT sender, dateDiff('hour', hour, now()), door, reason, field, items FROM reporting.rejections ORDER BY door`,
			"gp-north\t3\tcsv\tbad day\tDATE\t3\ngp-north\t3\tfhir\tbad day\tDATE\t4"},
		"dead letters now": {
			`SELECT reason, field, last_hour, last_day, usual_per_hour, rising, sentence FROM reporting.dead_letters_now ORDER BY reason`,
			`all		12	14	0	true	Dead letters: 12 in the last 60 minutes; a usual day has none.
bad LSOA	data.lsoa	0	0	0	false	Dead letters, bad LSOA (data.lsoa): 0 in the last 60 minutes; a usual day has none.
not JSON	payload	12	13	0	true	Dead letters, not JSON (payload): 12 in the last 60 minutes; a usual day has none.
not recorded		0	1	0	false	Dead letters, not recorded: 0 in the last 60 minutes; a usual day has none.`},
		"gap now": {
			`SELECT programme_name, position, season, level, name, system_name, region_name, day, over, season_day, covered, eligible, uptake, unknown_area, uptake_1, uptake_4, uptake_5,
				gap, gap_low, gap_high, sii, not_computed, short_to_best, short_to_target, biggest_win, target FROM reporting.gap_now WHERE level != 'pcn' ORDER BY position`,
			`Flu	1	2026-27	place	Northmoor	Eastshire and Westshire	Eastshire	2026-11-18	false	49	\N	\N	0.5	0.2	0.4	\N	1.04	\N	\N	\N	\N		\N	\N	\N	0.75
Checks	2	rolling	system	Eastshire and Westshire	Eastshire and Westshire	Eastshire	2026-11-15	false	\N	2050	4110	0.5	0.01	0.4	\N	0.6	0.2	0.15	0.25	\N	sii: quintile 4 is withheld	400	1000	3	0.6`},
		"behind the season before": {
			`SELECT season, level, code, system_name, quintile, day, against, uptake, expected, round(behind, 4), limit, needed, is_behind, sentence FROM reporting.behind WHERE programme = 'flu' ORDER BY quintile`,
			`2026-27	place	X07000001	Eastshire and Westshire	1	2026-11-18	2025-11-18	0.4	0.46	0.06	0.05	0.05	true	Flu in Northmoor, quintile 1 (most deprived, Core20): 40 % on 18 Nov 2026, 46 % on 18 Nov 2025: 6 points behind.
2026-27	place	X07000001	Eastshire and Westshire	2	2026-11-18	2025-11-18	0.4	0.46	0.06	0.05	0.1	false	Flu in Northmoor, quintile 2: 40 % on 18 Nov 2026, 46 % on 18 Nov 2025: 6 points behind; it would take 10.
2026-27	place	X07000001	Eastshire and Westshire	3	2026-11-18	2025-11-18	0.5	0.4	-0.1	0.05	0.05	false	Flu in Northmoor, quintile 3: 50 % on 18 Nov 2026, 40 % on 18 Nov 2025: not behind.
2026-27	place	X07000001	Eastshire and Westshire	4	2026-11-18	2025-11-18	\N	\N	\N	0.05	\N	false	Flu in Northmoor, quintile 4: cannot be compared with the season before: the figures are withheld.
2026-27	place	X07000001	Eastshire and Westshire	5	2026-11-18	2025-11-18	1.04	\N	\N	0.05	\N	false	Flu in Northmoor, quintile 5 (least deprived): cannot be compared with the season before: fewer than 100 people are eligible.`},
		"rules that numbers break": {
			`SELECT level, code, rule, figure, limit, sentence FROM reporting.rule_breaks WHERE programme = 'flu' ORDER BY code, rule`,
			`pcn	SYNP01	uptake over 100 %	1.25	1	Flu in Moor Network, 18 Nov 2026: uptake of 125 %: more people are covered than are eligible, so the eligible people that were loaded are wrong.
place	X07000001	unknown area above the limit	0.2	0.05	Flu in Northmoor, 18 Nov 2026: 20 % of covered people are of unknown area, more than 5 %: their records lack an LSOA or have one that the look-ups do not know.
place	X07000001	uptake over 100 %	1.04	1	Flu in Northmoor, 18 Nov 2026: uptake of 104 %: more people are covered than are eligible, so the eligible people that were loaded are wrong.`},
		"published series": {
			`SELECT programme, season, name, day, quintile_label, covered, eligible, uptake FROM reporting.history ORDER BY quintile`,
			"theirs\t2027-28\tEastshire\t2027-12-01\tunknown\t0\t0\t\\N\ntheirs\t2027-28\tEastshire\t2027-12-01\t1 (most deprived, Core20)\t40\t100\t0.4"},
		"geographies": {
			`SELECT level, name, place_name, system_name, region_name FROM reporting.geographies ORDER BY level, code`,
			`england	England			
neighbourhood	Moor Top	Northmoor	Eastshire and Westshire	Eastshire
neighbourhood	Moor End	Northmoor	Eastshire and Westshire	Eastshire
pcn	Moor Network			
place	Northmoor	Northmoor	Eastshire and Westshire	Eastshire
place	Southmere	Southmere	Eastshire and Westshire	Eastshire
region	Eastshire			Eastshire
system	Eastshire and Westshire		Eastshire and Westshire	Eastshire`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask(c.query); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestEveryViewAndColumnSaysWhatItIs checks the comments that Grafana users read: one for each, and a unit for each figure.
func TestEveryViewAndColumnSaysWhatItIs(t *testing.T) {
	ask := views(t)
	tables := strings.Split(ask("SELECT name, engine, comment, create_table_query FROM system.tables WHERE database = 'reporting' ORDER BY name"), "\n")
	if len(tables) != 22 {
		t.Errorf("there are %d views, want 22", len(tables))
	}
	for _, line := range tables {
		cells := strings.Split(line, "\t")
		if name := cells[0]; cells[1] != "View" || cells[2] == "" || !strings.Contains(cells[3], "SQL SECURITY DEFINER") {
			t.Errorf("%s: must be a view with a comment and the rights of its definer: %s", name, line)
		}
	}
	plain := regexp.MustCompile(`\.((ratio|rii|rii_linear)(_low|_high)?|events_per_second)$`) // these are no shares
	for line := range strings.SplitSeq(ask("SELECT concat(table, '.', name), type, comment FROM system.columns WHERE database = 'reporting'"), "\n") {
		cells := strings.Split(line, "\t")
		name, kind, comment := cells[0], cells[1], cells[2]
		table, column, _ := strings.Cut(name, ".")
		if made := ask("SELECT DISTINCT toTypeName(" + column + ") FROM reporting." + table); made != kind {
			t.Errorf("%s: is %s, but says %s", name, made, kind)
		}
		if len(comment) < 10 || !strings.HasSuffix(comment, ".") {
			t.Errorf("%s: says %q", name, comment)
		}
		if strings.Contains(kind, "Float64") && !plain.MatchString(name) && !strings.Contains(comment, "share of 1") {
			t.Errorf("%s: does not say that it is a share of 1: %q", name, comment)
		}
		if strings.HasSuffix(name, ".covered") && !strings.Contains(comment, "disclosure control") && !strings.HasPrefix(name, "history.") {
			t.Errorf("%s: does not say what was done to it: %q", name, comment)
		}
	}
}

// TestNothingExactIsReachable looks for the figures that stand where nobody may see them, and for the columns that hold
// them in what the views are made of.
func TestNothingExactIsReachable(t *testing.T) {
	ask := views(t)
	names := strings.Split(ask("SELECT name FROM system.tables WHERE database = 'reporting'"), "\n")
	for _, view := range names {
		text := ask("SELECT * FROM reporting." + view)
		if strings.HasPrefix(text, "error") {
			t.Errorf("%s: %s", view, text)
		}
		if text == "" {
			t.Errorf("%s: is empty, so that nothing is tested", view)
		}
		if strings.Contains(text, "87654321") {
			t.Errorf("%s: shows an exact figure:\n%s", view, text)
		}
		made := ask("SELECT create_table_query FROM system.tables WHERE database = 'reporting' AND name = '" + view + "'")
		if found := regexp.MustCompile(`\b(days\.(covered|eligible|content|id)|weeks\.id|judged\.(id|differ)|log\.id|ahead\.id|found\.id)\b`).FindString(made); found != "" {
			t.Errorf("%s: uses %s", view, found)
		}
		for _, from := range regexp.MustCompile(`\* FROM ([a-z_.]+)`).FindAllStringSubmatch(made, -1) {
			if !slices.Contains([]string{"prevention.programmes", "prevention.completeness", "prevention.interventions", "prevention.intervention_effects", "prevention.history"}, from[1]) {
				t.Errorf("%s: takes every column of %s", view, from[1])
			}
		}
		for _, from := range regexp.MustCompile(`(?:FROM|JOIN) (prevention\.[a-z_]+)`).FindAllStringSubmatch(made, -1) {
			if slices.Contains([]string{"prevention.events", "prevention.records", "prevention.links", "prevention.handled", "prevention.uptake_months", "prevention.uptake_now",
				"prevention.eligible_cells", "prevention.eligible_now", "prevention.eligible", "prevention.published"}, from[1]) {
				t.Errorf("%s: reads %s", view, from[1])
			}
		}
	}
	for _, attempt := range []string{
		"SELECT days.covered FROM reporting.gap", "SELECT id FROM reporting.gap", "SELECT content FROM reporting.uptake", "SELECT prevention.gap_days.covered FROM reporting.gap",
		"SELECT shown_covered FROM reporting.uptake", "SELECT gap FROM reporting.verdicts WHERE judged.gap > 0.098",
		"SELECT code FROM reporting.uptake WHERE days.covered[1] > 5", "SELECT code FROM reporting.gap ORDER BY content",
	} {
		if got := ask(attempt); !strings.HasPrefix(got, "error") {
			t.Errorf("%s: answers %q", attempt, got)
		}
	}
	// A filter must not find what is withheld, wherever ClickHouse moves it to.
	for _, attempt := range []string{
		"SELECT count() FROM reporting.verdicts WHERE code = 'X07000002' AND gap > 0.098", "SELECT count() FROM reporting.verdicts WHERE sentence LIKE '%9.8765%'",
		"SELECT count() FROM reporting.verdicts WHERE missing != ''", "SELECT count() FROM reporting.verdict_changes WHERE gap > 0.0986",
		"SELECT count() FROM reporting.verdicts WHERE gap > 0.0941", "SELECT count() FROM reporting.verdicts WHERE gap IN (0.0944987654321)",
	} {
		if got := ask(attempt); got != "0" {
			t.Errorf("%s: finds %s", attempt, got)
		}
	}
}

// TestOurProgrammes stores the programmes of this repository, whose rolling ones have no last day that a column can hold.
func TestOurProgrammes(t *testing.T) {
	ctx := context.Background()
	url := enginetest.New(t).URL()
	if err := store.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the engine stops
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	if err := reporting.WriteProgrammes(ctx, conn, set, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(ctx, "INSERT INTO prevention.completeness (programme, as_of, lag, quintile_lags, last_complete) SELECT programme, '2026-11-22', 4, [4, 4, 4, 4, 4], '2026-11-18' FROM prevention.programmes"); err != nil {
		t.Fatal(err)
	}
	var programmes, endless, newest uint64
	if err := conn.QueryRow(ctx, "SELECT uniqExact(programme), countIf(ends_on IS NULL), countIf(newest) FROM reporting.seasons").Scan(&programmes, &endless, &newest); err != nil {
		t.Fatal(err)
	}
	rolling := uint64(0)
	for _, p := range set.Programmes {
		if p.Kind == programme.Rolling {
			rolling++
		}
	}
	if n := uint64(len(set.Programmes)); programmes != n || endless != rolling || newest != n || rolling == 0 {
		t.Errorf("%d programmes with %d endless and %d newest seasons, want %d with %d and %d", programmes, endless, newest, n, rolling, n)
	}
	var target float64
	if err := conn.QueryRow(ctx, "SELECT assumeNotNull(target) FROM reporting.programmes WHERE programme = 'flu-65'").Scan(&target); err != nil || target != 0.75 {
		t.Errorf("target of flu-65 is %v (%v), want 0.75", target, err)
	}
}

// TestSettingsOfWhoAsks uses the settings that are filters on whatever a query reads, the tables behind a view included:
// one withheld figure of prevention.judged is 0.0987654321, so an answer that depends on it gives it away. Another setting
// must not change what a left join finds nothing for.
func TestSettingsOfWhoAsks(t *testing.T) {
	ask := views(t)
	replicas := " SETTINGS max_parallel_replicas = 2, enable_parallel_replicas = 1, parallel_replicas_count = 2, parallel_replica_offset = 1, " +
		"parallel_replicas_mode = 'custom_key_sampling', parallel_replicas_custom_key = 'if(sii > 0.09, 0, 1)'"
	// Both settings filter a view that does not guard itself: the test would find out.
	if got := ask("CREATE VIEW prevention.unguarded AS SELECT code, if(shown, sii, NULL) AS sii FROM prevention.judged FINAL"); got != "" {
		t.Fatal(got)
	}
	defer ask("DROP VIEW prevention.unguarded")
	for view, want := range map[string][2]string{"prevention.unguarded": {"0", "1"}, "reporting.verdicts": {"3", "2"}} {
		if got := ask("SELECT count() FROM " + view + " SETTINGS additional_table_filters = {'prevention.judged': 'sii > 0.5'}"); got != want[0] {
			t.Errorf("%s with a filter on its table: %s rows, want %s", view, got, want[0])
		}
		if got := ask("SELECT count() FROM " + view + replicas); got != want[1] {
			t.Errorf("%s with a part of its table: %s rows, want %s", view, got, want[1])
		}
	}
	for view := range strings.SplitSeq(ask("SELECT name FROM system.tables WHERE database = 'reporting'"), "\n") {
		made := ask("SELECT create_table_query FROM system.tables WHERE database = 'reporting' AND name = '" + view + "'")
		if !strings.Contains(made, `SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = \'\'`) {
			t.Errorf("%s: leaves the settings to who asks", view)
		}
		plain, other := "", "-"
		for range 3 { // what is counted from now may change meanwhile
			if plain == other {
				break
			}
			plain, other = ask("SELECT * FROM reporting."+view+" ORDER BY ALL"), ask("SELECT * FROM reporting."+view+" ORDER BY ALL SETTINGS join_use_nulls = 1")
		}
		if plain != other {
			t.Errorf("%s: with join_use_nulls it says\n%s\nnot\n%s", view, other, plain)
		}
	}
}
