package retention_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"

	"gapwatch/schemas"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/gap"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/retention"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/store"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// now is when retention is looked at. Of programmes kept for 27 months, the seasons 2022-23 and 2023-24 are over then, and
// rolling ones are kept from 1 August 2024 on.
var (
	now      = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	keptFrom = calendar.Date(2024, 8, 1)
)

const streamCreated = 1_700_000_000_000_000_000

type world struct {
	t        *testing.T
	conn     driver.Conn
	country  *cases.Country
	full     *programme.Set // that the events came in under
	set      *programme.Set // with a retention
	rows     []collect.Row
	sequence uint64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	text, err := schemas.Files.ReadFile("programmes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t}
	if w.full, err = programme.Load(""); err != nil {
		t.Fatal(err)
	}
	if w.set, err = programme.Parse("test", []byte(strings.ReplaceAll(string(text), "retention: 60", "retention: 27"))); err != nil {
		t.Fatal(err)
	}
	w.full, w.set = only(w.full), only(w.set)
	if _, w.country, err = cases.Read(); err != nil {
		t.Fatal(err)
	}
	w.conn = w.open()
	return w
}

// only are the programmes that the tests send events of: the others only take time.
func only(set *programme.Set) *programme.Set {
	some := programme.NewSet(set.Edition, slices.DeleteFunc(slices.Clone(set.Programmes), func(p *programme.Programme) bool {
		return !slices.Contains([]string{"flu-65", "bp-check", "mmr-2"}, p.ID)
	})...)
	some.SHA256 = set.SHA256
	return some
}

func (w *world) open() driver.Conn {
	w.t.Helper()
	url := enginetest.New(w.t).URL()
	if err := store.Migrate(w.t.Context(), url); err != nil {
		w.t.Fatal(err)
	}
	conn, err := store.Open(url)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	if err := w.country.Insert(w.t.Context(), conn, 1); err != nil {
		w.t.Fatal(err)
	}
	return conn
}

func (w *world) put(conn driver.Conn, rows ...collect.Row) {
	w.t.Helper()
	if err := collect.InsertRows(w.t.Context(), conn, rows); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) handle(conn driver.Conn, last uint64) {
	w.t.Helper()
	var rows []collect.HandledRow
	for sequence := uint64(1); sequence <= last; sequence++ {
		rows = append(rows, collect.HandledRow{Stream: streamCreated, Sequence: sequence, Outcome: collect.Stored})
	}
	if err := collect.InsertHandled(w.t.Context(), conn, rows); err != nil {
		w.t.Fatal(err)
	}
}

// crowd stores events of a few people that meet often. Where all is said, no record leaves anything to be filled in from
// another one, and a child is of one cohort.
func (w *world) crowd(rng *rand.Rand, n int, allSaid bool) {
	w.t.Helper()
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	decoder := event.Decoder{Programmes: w.full, Now: func() time.Time { return now }}
	var rows []collect.Row
	for i := range n {
		programme, days := "flu-65", []string{"2022-10-01", "2023-03-31", "2023-09-11", "2024-03-31", "2024-10-03", "2024-12-01", "2025-11-01"}
		person, cohort := pick("a", "b", "c", "d", "e", "f", "g", "h"), ""
		switch rng.IntN(3) {
		case 0:
			programme, days = "bp-check", []string{"2022-05-01", "2023-07-31", "2023-08-01", "2023-08-02", "2024-03-01", "2024-07-31", "2025-01-01"}
		case 1:
			programme, days, cohort = "mmr-2", []string{"2021-01-01", "2022-01-29", "2023-06-01", "2024-06-01"}, pick("2022-23", "2023-24", "2024-25", "2025-26")
			if allSaid {
				cohort = []string{"2022-23", "2023-24", "2024-25", "2025-26"}[int(person[0])%4]
			}
		}
		e := cases.Event{Record: fmt.Sprint(programme, rng.IntN(n/3+1), person), Person: person, On: pick(days...), Cohort: cohort, Dose: uint8(rng.IntN(3)),
			Made: fmt.Sprintf("2026-06-02T00:%02d:%02dZ", len(w.rows)/60%60, i%60), Area: pick("", "north-1", "north-5", "south-5"), Ethnicity: pick("A", "M"), Practice: pick("SYN001", "SYN002"),
			Status: pick("", "", "", "", "entered-in-error"), Correction: rng.IntN(3) == 0}
		if programme == "bp-check" || programme == "flu-65" {
			e.Dose = 0
		}
		if !allSaid {
			e.Ethnicity, e.Practice = pick("", "A", "M"), pick("", "SYN001")
			e.Record = fmt.Sprint(programme, rng.IntN(n/4+1)) // goes from one to another
			if rng.IntN(10) == 0 {
				e.Record = "any" // and from programme to programme
			}
		}
		if also := map[string]string{"a": "b", "b": "c", "f": "g"}[person]; also != "" && rng.IntN(4) == 0 && !allSaid {
			e.Also = also
		}
		if !allSaid && w.sequence == 0 { // two who are linked, and of whom nothing stays
			programme, e = "flu-65", cases.Event{Record: "gone", Person: "gone", Also: "gone too", On: "2022-10-01", Made: "2026-06-02T00:00:00Z", Area: "north-1"}
		}
		c := cases.Case{Title: "retention", Programme: programme, Events: []cases.Event{e}}
		subject, _, payload, err := c.Message(w.country, w.full, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		decoded, rejection := decoder.Decode(subject, payload)
		if rejection != nil {
			w.t.Fatal(rejection)
		}
		w.sequence++
		rows = append(rows, collect.Row{Event: decoded, Stream: streamCreated, Sequence: w.sequence, Received: now.Add(-time.Hour)})
	}
	w.rows = append(w.rows, rows...)
	w.put(w.conn, rows...)
	w.handle(w.conn, w.sequence)
}

// isOver is the rule, said once more and differently.
func (w *world) isOver(r collect.Row) bool {
	if r.Programme == "bp-check" {
		return !r.Day.AddMonths(12).Time().After(keptFrom.Time())
	}
	return r.Season == "2022-23" || r.Season == "2023-24"
}

// rest are the rows that stay.
func (w *world) rest() (rows []collect.Row) {
	newest := map[event.RecordID]collect.Row{}
	for _, r := range w.rows {
		if n, ok := newest[r.RecordID]; !ok || n.Version.Less(r.Version) {
			newest[r.RecordID] = r
		}
	}
	for _, r := range w.rows {
		if !w.isOver(r) && !w.isOver(newest[r.RecordID]) {
			rows = append(rows, r)
		}
	}
	return rows
}

func (w *world) aggregator(conn driver.Conn) *rollup.Aggregator {
	w.t.Helper()
	a, err := rollup.New(rollup.Config{ClickHouse: conn, Programmes: w.set})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) cells(conn driver.Conn) map[string]map[rollup.Cell]rollup.Counts {
	w.t.Helper()
	a := w.aggregator(conn)
	if _, err := a.Tick(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if result, err := a.Audit(w.t.Context()); err != nil || result.Mismatches > 0 || len(result.Skipped) > 0 {
		w.t.Fatalf("audit: %+v, %v", result, err)
	}
	return w.published(conn)
}

func (w *world) published(conn driver.Conn) map[string]map[rollup.Cell]rollup.Counts {
	w.t.Helper()
	all := map[string]map[rollup.Cell]rollup.Counts{}
	for _, p := range w.set.Programmes {
		all[p.ID] = map[rollup.Cell]rollup.Counts{}
		if err := rollup.ReadCells(w.t.Context(), conn, p.ID, func(c rollup.Cell, n rollup.Counts) error {
			all[p.ID][c] = n
			return nil
		}); err != nil {
			w.t.Fatal(err)
		}
	}
	return all
}

// shown are the counts that may still be asked for: cells of seasons that are kept, and of rolling programmes how many are
// covered on the days that are.
func (w *world) shown(cells map[string]map[rollup.Cell]rollup.Counts) map[string]map[rollup.Cell]int64 {
	shown := map[string]map[rollup.Cell]int64{}
	for id, all := range cells {
		shown[id] = map[rollup.Cell]int64{}
		p, _ := w.set.AsOf(calendar.Of(now)).Get(id)
		for c, n := range all {
			if p.Kind == programme.Rolling {
				net := n.Newly - n.Lapsed + n.MovedIn - n.MovedOut
				for _, day := range []calendar.Day{keptFrom, keptFrom + 1, keptFrom + 30, keptFrom + 200, keptFrom + 365, keptFrom + 366, keptFrom + 800} {
					if at := c; c.Day <= day {
						at.Day = day
						if shown[id][at] += net; shown[id][at] == 0 {
							delete(shown[id], at)
						}
					}
				}
			} else if _, ok := p.Season(c.Season); ok {
				shown[id][c] = n.Newly
			}
		}
	}
	return shown
}

func (w *world) count(query string, args ...any) (n uint64) {
	w.t.Helper()
	if err := w.conn.QueryRow(w.t.Context(), query, args...).Scan(&n); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// derived are the tables of what follows from counts.
var derived = []string{"gap_days", "neighbourhood_weeks", "ethnicity_weeks", "last_days", "judged", "trajectories", "intervention_effects"}

// derive puts rows into the tables of what follows from counts.
func (w *world) derive() {
	w.t.Helper()
	for _, table := range derived {
		for _, of := range []string{"'flu-65', '2022-23', '2022-12-01'", "'flu-65', '2024-25', '2024-12-01'", "'bp-check', 'rolling', '2024-07-31'", "'bp-check', 'rolling', '2024-08-01'"} {
			if err := w.conn.Exec(w.t.Context(), "INSERT INTO prevention."+table+" (programme, season, day) VALUES ("+of+")"); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

func (w *world) keeper(checkpoint func(string) error) *retention.Keeper {
	w.t.Helper()
	return w.keeperAt(now, checkpoint)
}

func (w *world) keeperAt(at time.Time, checkpoint func(string) error) *retention.Keeper {
	w.t.Helper()
	k, err := retention.New(retention.Config{ClickHouse: w.conn, Programmes: w.set, Now: func() time.Time { return at }, Checkpoint: checkpoint})
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// TestWhatIsKeptStaysAsItIs removes while events come in and steps are published, cut off before every change once.
func TestWhatIsKeptStaysAsItIs(t *testing.T) {
	for seed, allSaid := range map[uint64]bool{1: true, 3: false} {
		t.Run(fmt.Sprint(seed, allSaid), func(t *testing.T) {
			w := newWorld(t)
			rng := rand.New(rand.NewPCG(seed, 11))
			w.crowd(rng, 200, allSaid)
			before := w.shown(w.cells(w.conn))
			w.derive()
			if len(before["flu-65"]) == 0 || len(before["bp-check"]) == 0 || len(before["mmr-2"]) == 0 {
				t.Fatal("nothing is shown")
			}

			steps := w.aggregator(w.conn)
			cut := errors.New("cut off")
			pending := true
			seen := map[string]bool{}
			for tries := 0; pending; tries++ {
				if tries > 100 {
					t.Fatal("it does not come to an end")
				}
				var err error
				pending, err = w.keeperAt(now.Add(time.Duration(tries)*time.Hour), func(name string) error { // by then what was cut off is known to be
					if seen[name] || seen["gap_days"] && slices.Contains(derived, name) { // one of them stands for all
						return nil
					}
					seen[name] = true
					if !allSaid { // otherwise nothing new, so that what was shown before can be compared
						w.crowd(rng, 2, allSaid)
					}
					if _, err := steps.Tick(t.Context()); err != nil && !strings.Contains(err.Error(), "below 0") {
						t.Error(err)
					}
					return cut
				}).Look(t.Context())
				if err != nil && !errors.Is(err, cut) {
					t.Fatal(err)
				}
				pending = pending || err != nil
				if _, err := steps.Tick(t.Context()); err != nil && !strings.Contains(err.Error(), "below 0") {
					t.Error(err)
				}
			}
			for _, name := range []string{"remove_records", "remove_events", "forget", "repair", "drop_cells", "gap_days"} {
				if !seen[name] {
					t.Errorf("not cut off at %s", name)
				}
			}
			if !allSaid && (!seen["remove_replaced"] || !seen["remove_links"]) {
				t.Errorf("no record was replaced or nobody linked: %v", seen)
			}
			if len(w.rows) > 200 { // what came in last may be over as well
				if _, err := w.keeper(nil).Look(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			after := w.cells(w.conn)
			if allSaid {
				if diff := cmp.Diff(before, w.shown(after)); diff != "" {
					t.Errorf("before (-) and after (+):\n%s", diff)
				}
			}
			fresh := w.open()
			rest := w.rest()
			w.put(fresh, rest...)
			w.handle(fresh, w.sequence)
			if diff := cmp.Diff(w.cells(fresh), after); diff != "" {
				t.Errorf("counted from the rest alone (-) and after removing (+):\n%s", diff)
			}
			versions := map[string]bool{}
			for _, r := range rest {
				versions[fmt.Sprint(r.Programme, r.Person, r.RecordID, r.Version)] = true
			}
			for _, table := range []string{"events", "records"} {
				if n := w.count("SELECT count() FROM prevention." + table + " FINAL"); n != uint64(len(versions)) {
					t.Errorf("%d versions in %s, want %d", n, table, len(versions))
				}
			}
			if n, want := w.count("SELECT uniqExact(person, previous) FROM prevention.links"), len(w.linked(rest)); n != uint64(want) {
				t.Errorf("%d links, want %d", n, want)
			}
			for query, want := range map[string]uint64{
				"SELECT count() FROM prevention.uptake_months WHERE season IN ('2022-23', '2023-24')":                     0,
				"SELECT count() FROM (SELECT run FROM prevention.retention_log GROUP BY run HAVING max(phase) = 'begun')": 0,
				"SELECT sum(has(seasons, '2023-24')) FROM prevention.programmes FINAL":                                    0,
				"SELECT sum(has(seasons, '2024-25')) FROM prevention.programmes FINAL":                                    2,
			} {
				if n := w.count(query); n != want {
					t.Errorf("%s: %d, want %d", query, n, want)
				}
			}
			for _, table := range derived {
				rolling := uint64(1)
				if slices.Contains(derived[3:], table) {
					rolling = w.count("SELECT count() FROM prevention." + table + " WHERE season = 'rolling'")
				}
				if over, kept, r := w.count("SELECT count() FROM prevention."+table+" WHERE season = '2022-23'"), w.count("SELECT count() FROM prevention."+table+" WHERE season = '2024-25'"),
					w.count("SELECT count() FROM prevention."+table+" WHERE season = 'rolling'"); over != 0 || kept != 1 || r != rolling || rolling == 0 {
					t.Errorf("%s has %d rows of a season that is over, %d of one that is kept, %d of a rolling programme", table, over, kept, r)
				}
			}

			loads := w.count("SELECT toUInt64(max(load)) FROM prevention.loads")
			if pending, err := w.keeper(func(name string) error { return errors.New(name) }).Look(t.Context()); err != nil || pending || w.count("SELECT toUInt64(max(load)) FROM prevention.loads") != loads {
				t.Errorf("a second look changes something: %v, %v", pending, err)
			}
			measures, err := gap.New(gap.Config{ClickHouse: w.conn, Programmes: w.set, Now: func() time.Time { return now }, Settle: -1})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := measures.Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := w.count("SELECT count() FROM prevention.gap_days WHERE season IN ('2022-23', '2023-24')"); n > 0 {
				t.Errorf("%d measures of seasons that are over", n)
			}
			if n := w.count("SELECT count() FROM prevention.gap_days WHERE season = '2024-25'"); n < 2 {
				t.Error("no measures of a season that is kept")
			}
		})
	}
}

// linked are the links that stay: of people of whom anybody they are linked with has a row.
func (w *world) linked(rest []collect.Row) [][2]event.Pseudonym {
	group := map[event.Pseudonym]event.Pseudonym{}
	var find func(event.Pseudonym) event.Pseudonym
	find = func(p event.Pseudonym) event.Pseudonym {
		if group[p] == p || group[p] == (event.Pseudonym{}) {
			return p
		}
		return find(group[p])
	}
	links := map[[2]event.Pseudonym]bool{}
	for _, r := range w.rows {
		if r.Previous != (event.Pseudonym{}) {
			links[[2]event.Pseudonym{r.Person, r.Previous}] = true
			if a, b := find(r.Person), find(r.Previous); a != b {
				group[a] = b
			}
		}
	}
	live := map[event.Pseudonym]bool{}
	for _, r := range rest {
		live[find(r.Person)] = true
	}
	var kept [][2]event.Pseudonym
	for l := range links {
		if live[find(l[0])] {
			kept = append(kept, l)
		}
	}
	return kept
}

// TestNothingIsOver looks with the retention that programmes have unless set otherwise.
func TestNothingIsOver(t *testing.T) {
	w := newWorld(t)
	w.set = w.full
	w.crowd(rand.New(rand.NewPCG(1, 1)), 50, true)
	before := w.cells(w.conn)
	if pending, err := w.keeper(func(name string) error { return errors.New(name) }).Look(t.Context()); err != nil || pending {
		t.Error(pending, err)
	}
	if !cmp.Equal(w.cells(w.conn), before) {
		t.Error("something changed")
	}
}

// TestTwoKeepers has one look while another removes, and the other cut off afterwards: it must still be known that it was.
func TestTwoKeepers(t *testing.T) {
	w := newWorld(t)
	w.crowd(rand.New(rand.NewPCG(1, 11)), 50, true)
	w.cells(w.conn)
	const open = "SELECT count() FROM (SELECT run FROM prevention.retention_log GROUP BY run HAVING max(phase) = 'begun')"
	const repairs = "SELECT count() FROM prevention.loads WHERE kind = 'repair'"
	second, cut := w.keeper(nil), errors.New("cut off")
	looked := func() {
		t.Helper()
		if pending, err := second.Look(t.Context()); err != nil || !pending {
			t.Errorf("pending %v, %v", pending, err)
		}
	}
	if _, err := w.keeper(func(name string) error {
		if name != "repair" {
			return nil
		}
		looked()
		return cut
	}).Look(t.Context()); !errors.Is(err, cut) {
		t.Fatal(err)
	}
	before := w.count(repairs)
	looked() // counted afresh once, not with each look
	if n := w.count(open); n != 1 || w.count(repairs) != before {
		t.Errorf("%d runs are open, want 1; %d repairs after %d", n, w.count(repairs), before)
	}
	if _, err := w.keeperAt(now.Add(time.Hour), nil).Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.count(open); n != 0 || w.count(repairs) != before+1 {
		t.Errorf("%d runs are open after an hour; %d repairs after %d", n, w.count(repairs), before)
	}
}
