package erase_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/erase"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
	"gapwatch/services/internal/telemetry"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// system is a stream, a ClickHouse, and what was sent.
type system struct {
	t       *testing.T
	nats    *streamtest.Server
	url     string // of ClickHouse
	js      jetstream.JetStream
	conn    driver.Conn
	set     *programme.Set
	country *cases.Country
	sent    []event.Event // those that are accepted, by sequence from 1 on; others are zero
}

func connect(t *testing.T, url string, country *cases.Country) driver.Conn {
	t.Helper()
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := country.Insert(t.Context(), conn, 1); err != nil {
		t.Fatal(err)
	}
	return conn
}

func newSystem(t *testing.T) *system {
	t.Helper()
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	_, country, err := cases.Read()
	if err != nil {
		t.Fatal(err)
	}
	url := enginetest.New(t).URL()
	s := &system{t: t, nats: streamtest.New(t), url: url, set: set, country: country, conn: connect(t, url, country)}
	_, s.js = s.nats.Ensure(stream.Options{})
	return s
}

// send publishes what a sender would.
func (s *system) send(programme string, e cases.Event) {
	s.t.Helper()
	c := cases.Case{Title: "erase", Programme: programme, Events: []cases.Event{e}}
	subject, id, payload, err := c.Message(s.country, s.set, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	decoder := event.Decoder{Programmes: s.set, Now: time.Now}
	decoded, rejection := decoder.Decode(subject, payload)
	if rejection != nil {
		s.t.Fatal(rejection)
	}
	s.publish(subject, fmt.Sprint(id, len(s.sent)), payload)
	s.sent[len(s.sent)-1] = decoded
}

func (s *system) publish(subject, id string, payload []byte) {
	s.t.Helper()
	if _, err := stream.Publish(s.t.Context(), s.js, stream.Message(subject, id, payload)); err != nil {
		s.t.Fatal(err)
	}
	s.sent = append(s.sent, event.Event{})
}

// crowd has a few people meet often: records that go from one to another, corrections, retractions, links, and dead letters.
func (s *system) crowd(seed uint64, n int) {
	rng := rand.New(rand.NewPCG(seed, 5))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	for i := range n {
		programme, days := "flu-65", []string{"2023-09-11", "2023-10-01", "2024-10-03", "2024-12-01"}
		cohort := ""
		switch rng.IntN(3) {
		case 0:
			programme, days = "bp-check", []string{"2023-01-01", "2023-12-31", "2024-01-01", "2024-09-01"}
		case 1:
			programme, days, cohort = "mmr-2", []string{"2023-01-01", "2023-01-29", "2024-06-01"}, "2025-26"
		}
		e := cases.Event{Record: fmt.Sprint(programme, rng.IntN(n/4)), Person: pick("a", "b", "c", "d", "e"), On: pick(days...), Cohort: cohort,
			Made: fmt.Sprintf("2025-06-02T00:00:%02dZ", i%60), Area: pick("", "north-1", "north-5", "south-5"), Ethnicity: pick("", "A", "M"),
			Status: pick("", "", "", "entered-in-error"), Correction: rng.IntN(3) == 0}
		if rng.IntN(10) == 0 {
			e.Record = "any"
		}
		if rng.IntN(8) == 0 && e.Person != "c" && e.Person != "d" && e.Person != "e" {
			e.Also = map[string]string{"a": "b", "b": "a"}[e.Person]
		}
		s.send(programme, e)
		if i%10 == 0 { // a dead letter with its payload, and one with the person escaped
			person := cases.Pseudonym(e.Person).String()
			s.publish("prevention.events.vaccination.nobodys", fmt.Sprint("dead", i), fmt.Appendf(nil, letter, i, person))
			s.publish("prevention.events.vaccination.nobodys", fmt.Sprint("escaped", i), fmt.Appendf(nil, letter, -i-1, fmt.Sprintf(`\u%04x`, person[0])+person[1:]))
		}
	}
}

const letter = `{"specversion":"1.0","id":"dead%d","source":"urn:erase","type":"uk.nhs.prevention.vaccination.v1","time":"2026-01-20T09:31:22Z","data":{"record":"r","status":"completed","person":"%s","personKey":"k","programme":"nobodys","occurredAt":"2026-01-20"}}`

// collect runs a collector until everything is handled, or until the test ends.
func (s *system) collect(ctx context.Context) {
	s.t.Helper()
	_, js := s.nats.Connect()
	c, err := collect.New(collect.Config{JetStream: js, ClickHouse: s.conn, Programmes: s.set, Telemetry: telemetry.New(), MaxAge: 5 * time.Millisecond})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
}

func (s *system) handled() {
	s.t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for ticks := time.NewTicker(20 * time.Millisecond); ; <-ticks.C {
		var n uint64
		if err := s.conn.QueryRow(s.t.Context(), "SELECT uniqExact(sequence) FROM prevention.handled").Scan(&n); err != nil {
			s.t.Fatal(err)
		}
		if n == uint64(len(s.sent)) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d of %d handled", n, len(s.sent))
		}
	}
}

func cells(t *testing.T, conn driver.Conn, set *programme.Set) map[string]map[rollup.Cell]rollup.Counts {
	t.Helper()
	a, err := rollup.New(rollup.Config{ClickHouse: conn, Programmes: set})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[rollup.Cell]rollup.Counts{}
	for _, p := range set.Programmes {
		all[p.ID] = map[rollup.Cell]rollup.Counts{}
		if err := rollup.ReadCells(t.Context(), conn, p.ID, func(c rollup.Cell, n rollup.Counts) error {
			all[p.ID][c] = n
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if result, err := a.Audit(t.Context()); err != nil || result.Mismatches > 0 {
		t.Fatalf("audit: %+v, %v", result, err)
	}
	return all
}

// without is what comes out of the same events if some people's never count.
func (s *system) without(who ...string) map[string]map[rollup.Cell]rollup.Counts {
	s.t.Helper()
	gone := map[event.Pseudonym]bool{}
	for _, name := range who {
		gone[cases.Pseudonym(name)] = true
	}
	conn := connect(s.t, enginetest.New(s.t).URL(), s.country)
	var rows []collect.Row
	var handled []collect.HandledRow
	for i, e := range s.sent {
		if e.Programme != "" {
			if gone[e.Person] {
				e.Status = event.NotDone // with the version that it has: what it replaced does not count either
			}
			rows = append(rows, collect.Row{Event: e, Stream: 1_700_000_000_000_000_000, Sequence: uint64(i + 1), Received: time.Now()})
		}
		handled = append(handled, collect.HandledRow{Stream: 1_700_000_000_000_000_000, Sequence: uint64(i + 1), Outcome: collect.Stored})
	}
	if err := collect.InsertRows(s.t.Context(), conn, rows); err != nil {
		s.t.Fatal(err)
	}
	if err := collect.InsertHandled(s.t.Context(), conn, handled); err != nil {
		s.t.Fatal(err)
	}
	return cells(s.t, conn, s.set)
}

// traces says where people are found: in any column of any table, in any message, in any file of NATS.
func (s *system) traces(who ...string) (places []string) {
	s.t.Helper()
	ctx := s.t.Context()
	columns := map[string][]string{} // of each table
	rows, err := s.conn.Query(ctx, `SELECT database || '.' || table, name FROM system.columns WHERE database IN ('prevention', 'reporting')
		AND (type LIKE '%String%' OR type LIKE '%UUID%' OR type LIKE '%Int128%')`)
	if err != nil {
		s.t.Fatal(err)
	}
	for rows.Next() {
		var table, name string
		if err := rows.Scan(&table, &name); err != nil {
			s.t.Fatal(err)
		}
		columns[table] = append(columns[table], "toString(`"+name+"`)")
	}
	if err := rows.Err(); err != nil || len(columns) < 40 {
		s.t.Fatalf("columns of %d tables: %v", len(columns), err)
	}
	for _, name := range who {
		p := cases.Pseudonym(name)
		for table, of := range columns {
			var n uint64
			if err := s.conn.QueryRow(ctx, fmt.Sprintf("SELECT count() FROM %s WHERE replaceAll(concat('', %s), '-', '') ILIKE @text", table, strings.Join(of, ", '|', ")),
				clickhouse.Named("text", "%"+p.String()+"%")).Scan(&n); err != nil {
				s.t.Fatal(table, err)
			}
			if n > 0 {
				places = append(places, table)
			}
		}
		for _, name := range []string{stream.Events, stream.DeadLetters} {
			st, err := s.js.Stream(ctx, name)
			if err != nil {
				s.t.Fatal(err)
			}
			for sequence := st.CachedInfo().State.FirstSeq; sequence <= st.CachedInfo().State.LastSeq; sequence++ {
				if msg, err := st.GetMsg(ctx, sequence); err == nil && bytes.Contains(unescaped(msg.Data), []byte(p.String())) {
					places = append(places, name)
				}
			}
		}
		if err := filepath.WalkDir(s.nats.Dir(), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if bytes.Contains(data, []byte(p.String())) {
				places = append(places, "files of NATS")
			}
			return err
		}); err != nil {
			s.t.Fatal(err)
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// unescaped is a message with the one escape that crowd writes undone.
func unescaped(data []byte) []byte {
	for c := '0'; c <= 'f'; c++ {
		data = bytes.ReplaceAll(data, fmt.Appendf(nil, `\u%04x`, c), []byte(string(c)))
	}
	return bytes.ReplaceAll(data, []byte(`\`), nil)
}

func (s *system) config(who ...string) erase.Config {
	c := erase.Config{ClickHouse: s.conn, JetStream: s.js, Reference: "SAR-2026-17", By: "test", Patience: 10 * time.Minute}
	for _, name := range who {
		c.People = append(c.People, cases.Pseudonym(name))
	}
	return c
}

// TestErase erases somebody who is linked with somebody, while messages still wait to be read, in a run that is cut off at
// every step once.
func TestErase(t *testing.T) {
	s := newSystem(t)
	s.crowd(1, 150)
	s.collect(t.Context())
	s.handled()
	before := cells(t, s.conn, s.set)
	if got, want := s.traces("a"), []string{"PREVENTION_DEADLETTER", "PREVENTION_EVENTS", "files of NATS", "prevention.events", "prevention.links", "prevention.links_from_events", "prevention.records", "prevention.records_from_events"}; !cmp.Equal(got, want) {
		t.Fatalf("the search finds a in %v, not in %v", got, want)
	}
	dry := s.config("a")
	dry.DryRun = true
	would, err := erase.Run(t.Context(), dry)
	if err != nil {
		t.Fatal(err)
	}
	if after := cells(t, s.conn, s.set); !cmp.Equal(after, before) {
		t.Error("a dry run changes something")
	}

	var did erase.Result
	cut := errors.New("cut off")
	for _, at := range []string{"message", "remove_events", "remove_records", "remove_links", "repair", "log", ""} {
		c := s.config("a")
		c.Checkpoint = func(name string) error {
			if name == at {
				return cut
			}
			return nil
		}
		done, err := erase.Run(t.Context(), c)
		if at == "" && err != nil || at != "" && !errors.Is(err, cut) {
			t.Fatalf("at %q: %v", at, err)
		}
		did.Messages, did.DeadLetters = did.Messages+done.Messages, did.DeadLetters+done.DeadLetters
	}
	if did.Messages != would.Messages || did.DeadLetters != would.DeadLetters || would.Rows == 0 || would.Pseudonyms != 2 || would.DeadLetters == 0 {
		t.Errorf("did %+v, a dry run said %+v", did, would)
	}
	if got := s.traces("a", "b"); len(got) > 0 {
		t.Errorf("a or b is still in %v", got)
	}
	if got := s.traces("c"); len(got) < 5 {
		t.Errorf("c is only in %v", got)
	}
	after := cells(t, s.conn, s.set)
	if diff := cmp.Diff(s.without("a", "b"), after); diff != "" {
		t.Errorf("without them (-) and after erasing them (+):\n%s", diff)
	}
	if cmp.Equal(after, before) {
		t.Error("they counted nowhere")
	}

	again, err := erase.Run(t.Context(), s.config("a", "b"))
	if err != nil || again.Messages+again.DeadLetters+again.Rows > 0 || len(again.Programmes) > 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
	var done, open, notes uint64
	if err := s.conn.QueryRow(t.Context(), `SELECT countIf(last = 'done'), countIf(last = 'begun'), (SELECT count() FROM prevention.erasures WHERE reference = 'SAR-2026-17' AND asked_by = 'test')
		FROM (SELECT max(phase) AS last FROM prevention.erasures GROUP BY run)`).Scan(&done, &open, &notes); err != nil || done < 3 || open != 0 || notes == 0 {
		t.Errorf("%d erasures done, %d open, %d notes: %v", done, open, notes, err)
	}
	s.send("flu-65", cases.Event{Record: "new", Person: "a", On: "2024-10-04", Area: "north-1"})
	s.handled()
	if cmp.Equal(cells(t, s.conn, s.set), after) {
		t.Error("what is sent afterwards does not count")
	}
}

// TestEraseWaitsForCollectors erases while nothing is read yet: what a collector gets in hand then must be gone as well.
func TestEraseWaitsForCollectors(t *testing.T) {
	s := newSystem(t)
	s.crowd(2, 40)
	c := s.config("a")
	c.Patience = time.Nanosecond
	if _, err := erase.Run(t.Context(), c); !errors.Is(err, erase.ErrCollectors) {
		t.Fatal(err)
	}
	if got := s.traces("a"); !slices.Contains(got, stream.Events) {
		t.Errorf("a message that nobody has read was removed: it is found in %v", got)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := erase.Run(t.Context(), s.config("a"))
		ended <- err
	}()
	s.collect(t.Context())
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	s.handled()
	if got := s.traces("a"); len(got) > 0 {
		t.Errorf("a is still in %v", got)
	}
	if diff := cmp.Diff(s.without("a", "b"), cells(t, s.conn, s.set)); diff != "" {
		t.Error(diff)
	}
}

// TestEraseKeepsWhatIsPutRightMeanwhile has the sender say, while somebody is erased, that a record of theirs was another's.
func TestEraseKeepsWhatIsPutRightMeanwhile(t *testing.T) {
	for _, at := range []string{"message", "remove_events", "remove_records"} {
		t.Run(at, func(t *testing.T) {
			s := newSystem(t)
			version := func(person, made string) {
				s.send("flu-65", cases.Event{Record: "mixed up", Person: person, On: "2024-10-03", Made: made, Area: "north-1"})
				s.handled()
			}
			s.collect(t.Context())
			version("c", "2025-06-02T00:00:01Z")
			version("a", "2025-06-02T00:00:02Z")
			c, sent := s.config("a"), false
			c.Checkpoint = func(name string) error {
				if name == at && !sent {
					sent = true
					version("d", "2025-06-02T00:00:03Z")
				}
				return nil
			}
			if _, err := erase.Run(t.Context(), c); err != nil || !sent {
				t.Fatal(err, sent)
			}
			if got := s.traces("a", "c"); len(got) > 0 {
				t.Errorf("a, or what was c's, is still in %v", got)
			}
			if diff := cmp.Diff(s.without("a"), cells(t, s.conn, s.set)); diff != "" {
				t.Errorf("without a (-) and after erasing a (+):\n%s", diff)
			}
		})
	}
}

// TestTwoErasures has one end while another is at work, which is then cut off: run again, it must know that it was.
func TestTwoErasures(t *testing.T) {
	s := newSystem(t)
	s.send("flu-65", cases.Event{Record: "of a", Person: "a", On: "2024-10-03", Area: "north-1"})
	s.send("flu-65", cases.Event{Record: "of c", Person: "c", On: "2024-10-03", Area: "north-1"})
	s.collect(t.Context())
	s.handled()
	cells(t, s.conn, s.set)
	cut := errors.New("cut off")
	first, second := s.config("a"), s.config("c")
	second.Reference = "SAR-2026-18"
	first.Checkpoint = func(name string) error {
		if name != "repair" {
			return nil
		}
		if _, err := erase.Run(t.Context(), second); err != nil {
			t.Error(err)
		}
		return cut
	}
	if _, err := erase.Run(t.Context(), first); !errors.Is(err, cut) {
		t.Fatal(err)
	}
	open := func(want uint64) {
		t.Helper()
		var n uint64
		if err := s.conn.QueryRow(t.Context(), "SELECT count() FROM (SELECT run FROM prevention.erasures GROUP BY run HAVING max(phase) = 'begun')").Scan(&n); err != nil || n != want {
			t.Errorf("%d erasures are open, want %d: %v", n, want, err)
		}
	}
	open(1)
	if result, err := erase.Run(t.Context(), s.config("a")); err != nil || len(result.Programmes) == 0 {
		t.Errorf("nothing is counted afresh: %+v, %v", result, err)
	}
	open(0)
}

// TestEraseWithoutStreams erases from a ClickHouse whose NATS is new.
func TestEraseWithoutStreams(t *testing.T) {
	s := newSystem(t)
	for _, name := range []string{stream.Events, stream.DeadLetters} {
		if err := s.js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.conn.Exec(t.Context(), "INSERT INTO prevention.links (person, previous, stream, sequence) VALUES (?, ?, 1, 1)", uuid.UUID(cases.Pseudonym("b")), uuid.UUID(cases.Pseudonym("a"))); err != nil {
		t.Fatal(err)
	}
	if result, err := erase.Run(t.Context(), s.config("a")); err != nil || result.Rows != 1 || result.Pseudonyms != 2 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestEraseRefuses(t *testing.T) {
	for want, change := range map[string]func(*erase.Config){
		"must not name the person":          func(c *erase.Config) { c.Reference = "person 943 476 5919" },
		"the reference must be":             func(c *erase.Config) { c.Reference = "" },
		"runs it must not name":             func(c *erase.Config) { c.By = strings.Repeat("0A", 16) },
		"nobody is named":                   func(c *erase.Config) { c.People = nil },
		"who runs it must be 1 to 64 lette": func(c *erase.Config) { c.By = "a\nb" },
	} {
		c := erase.Config{Reference: "r", By: "b", People: []event.Pseudonym{{1}}}
		change(&c)
		if _, err := erase.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
