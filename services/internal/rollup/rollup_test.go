package rollup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/store"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// bench is a store with the country of the cases loaded, and a place to put events as a collector does.
type bench struct {
	t        *testing.T
	conn     driver.Conn
	set      *programme.Set
	country  *cases.Country
	decoder  event.Decoder
	stream   uint64
	sequence uint64
}

func newBench(t *testing.T) *bench {
	t.Helper()
	ctx := context.Background()
	if err := store.Migrate(ctx, enginetest.URL(t)); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(enginetest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, country, err := cases.Read()
	if err != nil {
		t.Fatal(err)
	}
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, conn: conn, set: set, country: country, decoder: event.Decoder{Programmes: set, Now: time.Now}, stream: 1_700_000_000_000_000_000}
	b.empty()
	return b
}

func (b *bench) exec(query string, args ...any) {
	b.t.Helper()
	if err := b.conn.Exec(context.Background(), query, args...); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
}

// empty starts the store afresh, with the look-ups of the cases' country.
func (b *bench) empty() {
	b.t.Helper()
	b.sequence = 0
	for _, table := range []string{"events", "records", "links", "handled", "uptake_months", "eligible_cells", "published", "loads", "areas", "practices", "eligible"} {
		b.exec("TRUNCATE TABLE prevention." + table)
	}
	b.loadAreas(1)
}

func (b *bench) loadAreas(load uint32) {
	b.t.Helper()
	if err := b.country.Insert(context.Background(), b.conn, load); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) decode(c *cases.Case, i int) event.Event {
	b.t.Helper()
	subject, _, payload, err := c.Message(b.country, b.set, i)
	if err != nil {
		b.t.Fatal(err)
	}
	e, rejected := b.decoder.Decode(subject, payload)
	if rejected != nil {
		b.t.Fatalf("%s: %v", c.Title, rejected)
	}
	return e
}

// put stores events as a collector does: rows, then handled sequences.
func (b *bench) put(events ...event.Event) {
	b.t.Helper()
	ctx := context.Background()
	rows, err := b.conn.PrepareBatch(ctx, "INSERT INTO prevention.events (programme, season, person, record_id, time, precedence, stream, sequence, status, day, dose, lsoa, ethnicity, practice, previous, source, record)")
	if err != nil {
		b.t.Fatal(err)
	}
	first := b.sequence + 1
	for _, e := range events {
		b.sequence++
		if err := rows.Append(e.Programme, e.Season, uuid.UUID(e.Person), uuid.UUID(e.RecordID), time.UnixMicro(e.Version.Micros).UTC(), e.Version.Precedence,
			b.stream, b.sequence, e.Status.String(), e.Day.Time(), e.Dose, e.LSOA, e.Ethnicity, e.Practice, uuid.UUID(e.Previous), e.Source, e.Record); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := rows.Send(); err != nil {
		b.t.Fatal(err)
	}
	b.handle(first, b.sequence)
}

func (b *bench) handle(first, last uint64) {
	b.t.Helper()
	b.exec("INSERT INTO prevention.handled (stream, sequence, outcome) SELECT ?, number, 'stored' FROM numbers(?, ?)", b.stream, first, last-first+1)
}

func (b *bench) aggregator(configure func(*rollup.Config)) *rollup.Aggregator {
	b.t.Helper()
	config := rollup.Config{ClickHouse: b.conn, Programmes: b.set, Interval: time.Millisecond}
	if configure != nil {
		configure(&config)
	}
	a, err := rollup.New(config)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *bench) tick(a *rollup.Aggregator) rollup.Result {
	b.t.Helper()
	result, err := a.Tick(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return result
}

func (b *bench) cells(programme string) map[rollup.Cell]rollup.Counts {
	b.t.Helper()
	cells := map[rollup.Cell]rollup.Counts{}
	if err := rollup.ReadCells(context.Background(), b.conn, programme, func(c rollup.Cell, n rollup.Counts) error {
		if _, twice := cells[c]; twice {
			b.t.Errorf("cell %+v is there twice", c)
		}
		cells[c] = n
		return nil
	}); err != nil {
		b.t.Fatal(err)
	}
	return cells
}

// audit fails the test if a full recompute finds anything else than what is stored.
func (b *bench) audit(a *rollup.Aggregator) {
	b.t.Helper()
	result, err := a.Audit(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	if result.Mismatches != 0 || len(result.Skipped) != 0 {
		b.t.Fatalf("audit: %+v", result)
	}
}

// crowd makes events of a few people that meet often: corrections of everything, retractions, links, duplicates.
func crowd(rng *rand.Rand, b *bench, n int) []event.Event {
	b.t.Helper()
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	type style struct {
		programme string
		days      []string
		cohorts   []string
	}
	styles := []style{
		{"flu-65", []string{"2023-09-11", "2023-10-01", "2023-10-02", "2024-03-31", "2024-10-03", "2024-12-01"}, []string{""}},
		{"bp-check", []string{"2023-01-01", "2023-02-28", "2023-12-31", "2024-01-01", "2024-02-29", "2024-09-01"}, []string{""}},
		{"mmr-2", []string{"2023-01-01", "2023-01-28", "2023-01-29", "2024-06-01", "2025-06-01"}, []string{"2024-25", "2025-26"}},
	}
	var events []event.Event
	for range n {
		if len(events) > 0 && rng.IntN(8) == 0 {
			events = append(events, events[rng.IntN(len(events))]) // the same again
			continue
		}
		s := styles[rng.IntN(len(styles))]
		record := fmt.Sprint(s.programme, rng.IntN(n/4+1))
		if rng.IntN(20) == 0 {
			record = "any" // goes from programme to programme
		}
		c := cases.Case{Title: "crowd", Programme: s.programme, Events: []cases.Event{{
			Record: record, Person: pick("a", "b", "c", "d", "e"), On: pick(s.days...), Cohort: pick(s.cohorts...),
			Made: pick("2025-06-02T00:00:00Z", "2025-06-03T00:00:00Z", "2025-06-04T00:00:00Z", "2025-06-05T00:00:00Z"),
			Area: pick("", "north-1", "north-1b", "north-5", "south-5", "split-2011", "abroad"), Status: pick("", "", "", "not-done", "entered-in-error"),
			Ethnicity: pick("", "A", "M"), Practice: pick("", "SYN001", "SYN002"), Correction: rng.IntN(3) == 0,
		}}}
		if s.programme == "mmr-2" {
			c.Events[0].Dose = uint8(rng.IntN(3))
		}
		if rng.IntN(15) == 0 {
			if also := pick("a", "b", "c", "d", "e"); also != c.Events[0].Person {
				c.Events[0].Also = also
			}
		}
		events = append(events, b.decode(&c, 0))
	}
	return events
}

// TestStepsEndWhereAFullRecomputeDoes lets random events in in random portions, with crashes between the writes of a
// step and with a second aggregator that falls behind, and wants what one recompute of everything gives.
func TestStepsEndWhereAFullRecomputeDoes(t *testing.T) {
	b := newBench(t)
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 7))
		b.empty()
		crash := errors.New("crash")
		crashing := func(c *rollup.Config) {
			c.Checkpoint = func(string) error {
				if rng.IntN(5) == 0 {
					return crash
				}
				return nil
			}
		}
		two := []*rollup.Aggregator{b.aggregator(crashing), b.aggregator(crashing)}
		for events := crowd(rng, b, 60); len(events) > 0; {
			n := min(1+rng.IntN(6), len(events))
			b.put(events[:n]...)
			events = events[n:]
			i := rng.IntN(2)
			if _, err := two[i].Tick(context.Background()); errors.Is(err, crash) {
				two[i] = b.aggregator(crashing) // a new process
			} else if err != nil {
				t.Fatal(err)
			}
		}
		steady := b.aggregator(nil)
		b.tick(steady)
		stepped := map[string]map[rollup.Cell]rollup.Counts{}
		for _, p := range b.set.Programmes {
			stepped[p.ID] = b.cells(p.ID)
		}
		b.audit(steady)
		b.exec("TRUNCATE TABLE prevention.uptake_months")
		b.exec("TRUNCATE TABLE prevention.published")
		b.tick(b.aggregator(nil))
		for _, p := range b.set.Programmes {
			if diff := cmp.Diff(b.cells(p.ID), stepped[p.ID]); diff != "" {
				t.Fatalf("seed %d: %s: recompute (-) and steps (+) differ:\n%s", seed, p.ID, diff)
			}
		}
	}
}

// between is a connection that does something before it asks a certain query for the first time.
type between struct {
	driver.Conn
	query string
	do    func()
}

func (c *between) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	if do := c.do; do != nil && strings.HasPrefix(query, c.query) {
		c.do = nil
		do()
	}
	return c.Conn.Query(ctx, query, args...)
}

// TestOvertakenInTheMiddle has one aggregator publish while another is between finding out what is published and
// adding to it: by a step to the same position, to another one, and by a full recompute.
func TestOvertakenInTheMiddle(t *testing.T) {
	b := newBench(t)
	c := cases.Case{Title: "two at once", Programme: "flu-65", Events: []cases.Event{
		{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1"}, {Record: "2", Person: "b", On: "2024-10-10", Area: "north-1"},
		{Record: "3", Person: "c", On: "2024-10-10", Area: "north-1"}}}
	flu, _ := b.set.Get("flu-65")
	only := programme.NewSet(b.set.Edition, flu) // the other programmes are empty, and only take time
	only.SHA256 = b.set.SHA256
	for _, query := range []string{"-- What came in after", "SELECT season, place, id, base", "-- The stored counts"} {
		for _, how := range []string{"step", "step further", "recompute"} {
			b.empty()
			b.put(b.decode(&c, 0))
			fast := b.aggregator(func(c *rollup.Config) {
				c.Programmes = only
				if how == "recompute" {
					c.Backlog, c.Patience = 1, time.Nanosecond
				}
			})
			conn := &between{Conn: b.conn, query: query}
			slow := b.aggregator(func(c *rollup.Config) { c.ClickHouse, c.Programmes = conn, only })
			b.tick(fast)
			b.tick(slow)
			b.put(b.decode(&c, 1))
			conn.do = func() {
				if how == "step further" {
					b.put(b.decode(&c, 2))
				}
				b.tick(fast)
			}
			b.tick(slow)
			if conn.do != nil {
				t.Fatalf("%q is not asked", query)
			}
			b.audit(fast)
			if !b.tick(slow).At.After(rollup.Position{Stream: b.stream, Sequence: b.sequence - 1}) {
				t.Errorf("%s at %q: the slow one does not go on", how, query)
			}
			b.audit(slow)
		}
	}
}

// TestMergesChangeNothing merges all parts between two steps: equal versions must keep the first arrival.
func TestMergesChangeNothing(t *testing.T) {
	b := newBench(t)
	rng := rand.New(rand.NewPCG(1, 2))
	a := b.aggregator(nil)
	for events := crowd(rng, b, 80); len(events) > 0; {
		n := min(10, len(events))
		b.put(events[:n]...)
		b.put(events[:n/2]...) // the same again, later
		for _, table := range []string{"events", "records", "links", "handled", "uptake_months", "published"} {
			b.exec("OPTIMIZE TABLE prevention." + table + " FINAL")
		}
		events = events[n:]
		b.tick(a)
	}
	b.audit(a)
}

func TestASequenceThatIsNotHandledHoldsBackWhatFollows(t *testing.T) {
	b := newBench(t)
	c := cases.Case{Title: "gap", Programme: "flu-65", Events: []cases.Event{
		{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1"}, {Record: "2", Person: "b", On: "2024-10-10", Area: "north-1"}}}
	b.put(b.decode(&c, 0))
	b.sequence++ // in another collector's hands
	b.put(b.decode(&c, 1))
	a := b.aggregator(nil)
	if got := b.tick(a).At.Sequence; got != 1 {
		t.Fatalf("published up to %d, want 1: message 2 is not handled", got)
	}
	b.handle(2, 2)
	if got := b.tick(a).At.Sequence; got != 3 {
		t.Fatalf("published up to %d, want 3", got)
	}
	b.audit(a)
}

// Sequences are looked through in stretches: a gap is found in each, between two, where a stretch is missing, and where
// sequences came twice.
func TestAGapIsFoundWhereverItIs(t *testing.T) {
	b := newBench(t)
	flu, _ := b.set.Get("flu-65")
	b.set = programme.NewSet(b.set.Edition, flu)
	const stretch = 65_536
	for _, c := range []struct {
		upTo    uint64
		missing string // condition
		want    uint64
	}{
		{3*stretch + 100, "0", 3*stretch + 100}, {3 * stretch, "0", 3 * stretch}, {5, "0", 5}, {3 * stretch, "1", 0},
		{3 * stretch, "number = 1", 0}, {3 * stretch, "number = 65536", stretch - 1}, {3 * stretch, "number = 65537", stretch},
		{3 * stretch, "number = 131073", 2 * stretch}, {3*stretch + 7, "number = 196615", 3*stretch + 6},
		{3 * stretch, "number > 65536 AND number <= 131072", stretch}, {3 * stretch, "number > 70000 AND number <= 131072", 70_000},
		{3 * stretch, "number <= 65536", 0}, {3 * stretch, "number IN (70000, 140000)", 69_999},
	} {
		b.empty()
		for range 2 {
			b.exec("INSERT INTO prevention.handled (stream, sequence, outcome) SELECT ?, number, 'stored' FROM numbers(1, ?) WHERE NOT ("+c.missing+")", b.stream, c.upTo)
		}
		if got := b.tick(b.aggregator(nil)).At.Sequence; got != c.want {
			t.Errorf("%d, missing where %s: handled up to %d, want %d", c.upTo, c.missing, got, c.want)
		}
		if c.want > 0 { // from there on, nothing is found twice
			b.exec("INSERT INTO prevention.handled (stream, sequence, outcome) VALUES (?, ?, 'stored')", b.stream, c.want+1)
			if got := b.tick(b.aggregator(nil)).At.Sequence; got <= c.want {
				t.Errorf("%d, missing where %s: handled up to %d, want more than %d", c.upTo, c.missing, got, c.want)
			}
		}
	}
}

func TestUntouchedSlicesKeepTheirSnapshot(t *testing.T) {
	b := newBench(t)
	c := cases.Case{Title: "two places", Programme: "flu-65", Events: []cases.Event{
		{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1"}, {Record: "2", Person: "b", On: "2024-10-10", Area: "south-1"},
		{Record: "3", Person: "c", On: "2024-10-11", Area: "south-1"}}}
	a := b.aggregator(nil)
	b.put(b.decode(&c, 0), b.decode(&c, 1))
	b.tick(a)
	ids := func() map[string]string {
		found := map[string]string{}
		rows, err := b.conn.Query(context.Background(), "SELECT place, toString(id) FROM prevention.published_now WHERE programme = 'flu-65' AND season != ''")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close() //nolint:errcheck // a test
		for rows.Next() {
			var place, id string
			if err := rows.Scan(&place, &id); err != nil {
				t.Fatal(err)
			}
			found[place] = id
		}
		return found
	}
	before := ids()
	b.put(b.decode(&c, 2))
	if result := b.tick(a); result.Slices != 1 {
		t.Errorf("%d slices published, want 1", result.Slices)
	}
	after := ids()
	if before["Northmoor"] != after["Northmoor"] || before["Southby"] == after["Southby"] {
		t.Errorf("before %v, after %v: want a new snapshot for Southby only", before, after)
	}
	b.audit(a)
}

func TestNewAreasCountEverybodyAfresh(t *testing.T) {
	b := newBench(t)
	c := cases.Case{Title: "areas", Programme: "flu-65", Events: []cases.Event{{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1"}}}
	a := b.aggregator(nil)
	b.put(b.decode(&c, 0))
	b.tick(a)
	moved := b.country.Areas["north-1"]
	moved.Quintile, moved.Place = 2, "Elsewhere"
	b.country.Areas["north-1"] = moved
	b.loadAreas(50)
	b.tick(a)
	for cell := range b.cells("flu-65") {
		if cell.Quintile != 2 || cell.Place != "Elsewhere" {
			t.Errorf("%+v is counted under the old areas", cell)
		}
	}
	b.audit(a)
}

func TestAuditFindsAndMendsWhatIsWrong(t *testing.T) {
	for _, damage := range []string{
		"ALTER TABLE prevention.uptake_months UPDATE `days.newly` = arrayMap(n -> n + 1, days.newly) WHERE level = 'neighbourhood' SETTINGS mutations_sync = 1",
		"DELETE FROM prevention.uptake_months WHERE level = 'pcn'",
		"INSERT INTO prevention.uptake_months SELECT * REPLACE ('ghost' AS code) FROM prevention.uptake_months LIMIT 1",
		"ALTER TABLE prevention.eligible_cells UPDATE eligible = eligible + 1 WHERE level = 'neighbourhood' SETTINGS mutations_sync = 1",
		"DELETE FROM prevention.eligible_cells WHERE programme = 'flu-65'",
	} {
		b := newBench(t)
		c := cases.Case{Title: "audit", Programme: "flu-65", Events: []cases.Event{{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1"}},
			Eligible: []cases.Eligible{{Season: "2024-25", Since: "2024-10-03", Area: "north-1", People: 100}}}
		if err := b.country.InsertEligible(t.Context(), b.conn, 2, c); err != nil {
			t.Fatal(err)
		}
		registry := prometheus.NewRegistry()
		a := b.aggregator(func(c *rollup.Config) { c.Registry = registry })
		b.put(b.decode(&c, 0))
		b.tick(a)
		right := b.cells("flu-65")
		b.exec(damage)
		result, err := a.Audit(context.Background())
		if err != nil || result.Mismatches == 0 {
			t.Fatalf("%s: audit found %+v, %v", damage, result, err)
		}
		if told := metric(t, registry, "gapwatch_aggregator_audit_mismatches_total"); told != float64(result.Mismatches) {
			t.Errorf("%s: the metric says %v, the audit %d", damage, told, result.Mismatches)
		}
		b.tick(a)
		if diff := cmp.Diff(right, b.cells("flu-65")); diff != "" {
			t.Errorf("%s was not mended:\n%s", damage, diff)
		}
		b.audit(a)
	}
}

// metric is the value of a counter or gauge.
func metric(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue() + f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestWhatWaitsIsNotCalledPublished(t *testing.T) {
	b := newBench(t)
	c := cases.Case{Title: "waits", Programme: "flu-65", Events: []cases.Event{
		{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1"}, {Record: "2", Person: "b", On: "2024-10-10", Area: "north-1"}}}
	registry := prometheus.NewRegistry()
	a := b.aggregator(func(c *rollup.Config) { c.Registry, c.Backlog, c.Patience = registry, 1, time.Hour })
	b.put(b.decode(&c, 0))
	b.tick(a) // the first publication waits for nothing
	b.put(b.decode(&c, 1))
	if result := b.tick(a); !result.Waiting {
		t.Fatalf("%+v", result)
	}
	if at := metric(t, registry, "gapwatch_aggregator_published_sequence"); at != 1 {
		t.Errorf("published up to %v, want 1", at)
	}
}

func TestRunAuditsEveryProgrammeAndGoesOn(t *testing.T) {
	b := newBench(t)
	c := cases.Case{Title: "run", Programme: "flu-65", Events: []cases.Event{{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1"}}}
	b.put(b.decode(&c, 0))
	log := &watched{lines: make(chan string, 1000)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- b.aggregator(func(c *rollup.Config) {
			c.Log, c.AuditEvery, c.Interval, c.Share = slog.New(slog.NewTextHandler(log, nil)), time.Nanosecond, time.Nanosecond, 1
		}).Run(ctx)
	}()
	for audits := 0; audits < 2; {
		if line := <-log.lines; strings.Contains(line, "msg=audit") {
			audits++
			if !strings.Contains(line, "compared=5 mismatches=0") {
				t.Error(line)
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// watched is a log that a test reads line by line.
type watched struct{ lines chan string }

func (w *watched) Write(line []byte) (int, error) {
	select {
	case w.lines <- string(line):
	default: // nobody reads any more
	}
	return len(line), nil
}

func TestAnotherProgrammeFileStopsTheOlderAggregator(t *testing.T) {
	b := newBench(t)
	a := b.aggregator(nil)
	b.tick(a)
	other := *b.set
	other.SHA256 = "another file"
	b.tick(b.aggregator(func(c *rollup.Config) { c.Programmes = &other }))
	if _, err := a.Tick(context.Background()); !errors.Is(err, rollup.ErrSuperseded) {
		t.Fatalf("got %v, want ErrSuperseded", err)
	}
}

func TestANewStreamGoesOnAfterTheOldOne(t *testing.T) {
	b := newBench(t)
	rng := rand.New(rand.NewPCG(3, 3))
	events := crowd(rng, b, 60)
	a := b.aggregator(nil)
	b.put(events[:20]...)
	b.tick(a)
	b.put(events[20:30]...)
	b.stream, b.sequence = b.stream+1e9, 0
	b.put(events[30:]...)
	b.put(events[:10]...) // sent again into the new stream
	if at := b.tick(a).At; at.Stream != b.stream || at.Sequence != b.sequence {
		t.Fatalf("published up to %v", at)
	}
	b.audit(a)
}

func TestCompactionKeepsTheNumbers(t *testing.T) {
	b := newBench(t)
	rng := rand.New(rand.NewPCG(5, 5))
	a := b.aggregator(nil)
	// Many versions of one cell: the same person is corrected over and over.
	var events []event.Event
	for i := range 40 {
		c := cases.Case{Title: "c", Programme: "flu-65", Events: []cases.Event{{Record: "r", Person: "a", On: "2024-10-10",
			Area: []string{"north-1", "south-1"}[i%2], Made: time.Date(2025, 1, 1+i, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)}}}
		events = append(events, b.decode(&c, 0))
	}
	events = append(events, crowd(rng, b, 30)...)
	for chunk := range slices.Chunk(events, 2) {
		b.put(chunk...)
		b.tick(a)
	}
	before := b.cells("flu-65")
	b.audit(a)
	b.audit(a)
	if diff := cmp.Diff(before, b.cells("flu-65")); diff != "" {
		t.Error(diff)
	}
}

// What a step left behind that was cut off before it published must not come to light when another slice moves on.
func TestRowsOfACutOffStepStayHidden(t *testing.T) {
	b := newBench(t)
	c := cases.Case{Title: "cut off", Programme: "flu-65", Events: []cases.Event{
		{Record: "0", Person: "z", On: "2024-10-12", Area: "north-1"},
		{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1", Made: "2024-11-01T00:00:00Z"},
		{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1", Made: "2024-11-02T00:00:00Z", Status: "entered-in-error"},
		{Record: "2", Person: "b", On: "2024-10-11", Area: "north-1"}}}
	b.put(b.decode(&c, 0))
	b.tick(b.aggregator(nil))
	b.put(b.decode(&c, 1))
	crash := errors.New("crash")
	if _, err := b.aggregator(func(c *rollup.Config) {
		c.Checkpoint = func(name string) error {
			if name == "published" {
				return crash
			}
			return nil
		}
	}).Tick(context.Background()); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	b.put(b.decode(&c, 2))
	b.tick(b.aggregator(func(c *rollup.Config) { c.Backlog, c.Patience = 1, time.Nanosecond }))
	b.put(b.decode(&c, 3))
	a := b.aggregator(nil)
	b.tick(a)
	b.audit(a)
}

// cut is ClickHouse going away in the middle of an answer, at the end of a row.
type cut struct{ driver.Conn }

type cutBody struct {
	io.Reader
	io.Closer
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (c cut) QueryFormat(ctx context.Context, format, query string, args ...any) (io.ReadCloser, error) {
	body, err := c.Conn.QueryFormat(ctx, format, query, args...)
	if err != nil {
		return nil, err
	}
	all, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	return cutBody{io.MultiReader(bytes.NewReader(all[:min(len(all), 79)]), failing{}), body}, nil
}

func TestAnAnswerThatIsCutOffIsNoAnswer(t *testing.T) {
	b := newBench(t)
	c := cases.Case{Title: "cut", Programme: "flu-65", Events: []cases.Event{
		{Record: "0", Person: "z", On: "2024-10-12", Area: "north-1"},
		{Record: "2", Person: "b", On: "2024-10-11", Area: "north-1"}}}
	b.put(b.decode(&c, 0), b.decode(&c, 1))
	a := b.aggregator(func(c *rollup.Config) { c.ClickHouse = cut{b.conn} })
	_, err := a.Tick(context.Background())
	if err == nil {
		t.Errorf("an answer that was cut off was published: %v", b.cells("flu-65"))
	}
}

// late is an answer that fails after many blocks have been sent.
type late struct{ driver.Conn }

func (c late) QueryFormat(ctx context.Context, format, _ string, _ ...any) (io.ReadCloser, error) {
	return c.Conn.QueryFormat(ctx, format, `SELECT generateUUIDv4(), toUInt64(number), toInt64(number), toUInt64(number)
		FROM numbers(1000000) WHERE NOT throwIf(number = 999000) SETTINGS max_threads = 1, max_block_size = 1000`)
}

func TestAnErrorAmongTheBlocksIsSeen(t *testing.T) {
	b := newBench(t)
	c := cases.Case{Title: "late", Programme: "flu-65", Events: []cases.Event{{Record: "0", Person: "z", On: "2024-10-12", Area: "north-1"}}}
	b.put(b.decode(&c, 0))
	a := b.aggregator(func(c *rollup.Config) { c.ClickHouse = late{b.conn} })
	if _, err := a.Tick(context.Background()); err == nil || !strings.Contains(err.Error(), "throwIf") || store.Judge(err) != store.Retry {
		t.Errorf("an answer that failed gives %v", err)
	}
}
