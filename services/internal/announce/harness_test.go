package announce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// start is when the first change of every test was decided.
var start = time.Date(2026, 11, 22, 6, 30, 0, 250e6, time.UTC)

// rig is a NATS server and a ClickHouse engine with an empty log.
type rig struct {
	t     *testing.T
	nats  *streamtest.Server
	js    jetstream.JetStream
	url   string
	store driver.Conn
}

// newRig is on the engine that the tests of the package share one after the other.
func newRig(t *testing.T) *rig {
	t.Helper()
	r := newRigOn(t, enginetest.URL(t))
	r.exec("TRUNCATE TABLE prevention.verdict_log")
	r.exec("TRUNCATE TABLE prevention.verdict_published")
	return r
}

func newRigOn(t *testing.T, url string) *rig {
	t.Helper()
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, nats: streamtest.New(t), url: url, store: open(t, url)}
	_, r.js = r.nats.Connect()
	return r
}

func open(t *testing.T, url string) driver.Conn {
	t.Helper()
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (r *rig) exec(query string) {
	r.t.Helper()
	if err := r.store.Exec(r.t.Context(), query); err != nil {
		r.t.Fatal(err)
	}
}

// announcer is one with connections and metrics of its own.
func (r *rig) announcer(change func(*Config)) (*Announcer, *prometheus.Registry) {
	r.t.Helper()
	_, js := r.nats.Connect()
	registry := prometheus.NewRegistry()
	config := Config{ClickHouse: open(r.t, r.url), JetStream: js, Registry: registry, Log: slog.New(slog.NewTextHandler(r.t.Output(), nil)),
		Interval: 10 * time.Millisecond, RetryMost: 50 * time.Millisecond, Timeout: 2 * time.Minute} // a busy machine is no failure
	if change != nil {
		change(&config)
	}
	a, err := New(config)
	if err != nil {
		r.t.Fatal(err)
	}
	return a, registry
}

// tick is one tick that must work.
func (r *rig) tick(a *Announcer) int {
	r.t.Helper()
	n, err := a.Tick(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func pointer(f float64) *float64 { return &f }

// change is the n-th change of a place, decided n minutes after start.
func change(programme, code string, n int) row {
	r := row{programme: programme, season: "2026-27", level: "place", code: code, name: "Northmoor", n: uint32(n),
		verdict: "widening", previous: "steady", day: calendar.Date(2026, 11, 18), decidedAt: start.Add(time.Duration(n) * time.Minute),
		fifths: "national", comparator: "same day of last season", against: calendar.Date(2025, 11, 18), shown: true,
		sentence: "Flu 65+ in Northmoor: the gap is 9.4 points (SII 11.0), 2.1 more than on the same day of last season (1.3 to 2.9).",
		gap:      pointer(0.0942), change: pointer(0.0209), low: pointer(0.0131), high: pointer(0.0287), slopeII: pointer(0.11)}
	r.eventID = fmt.Sprintf("%s/%s/%s/%d", r.programme, r.season, r.code, r.n)
	return r
}

// changes are the changes from to until of a place.
func changes(programme, code string, from, to int) []row {
	var rows []row
	for n := from; n <= to; n++ {
		rows = append(rows, change(programme, code, n))
	}
	return rows
}

// log writes changes into the log in the order given, as the aggregator does.
func (r *rig) log(rows ...row) {
	r.t.Helper()
	batch, err := r.store.PrepareBatch(r.t.Context(), `INSERT INTO prevention.verdict_log (event_id, programme, season, level, code, name, n,
		verdict, previous, day, decided_at, fifths, comparator, against, sentence, shown, gap, change, change_low, change_high, sii, id)`)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range rows {
		if err := batch.Append(c.eventID, c.programme, c.season, c.level, c.code, c.name, c.n, c.verdict, c.previous, c.day.Time(),
			c.decidedAt, c.fifths, c.comparator, c.against.Time(), c.sentence, c.shown, c.gap, c.change, c.low, c.high, c.slopeII, new(big.Int)); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		r.t.Fatal(err)
	}
}

// published is every message of the stream, in its order. It fails the test unless subject, header and event agree.
func (r *rig) published() []Event {
	r.t.Helper()
	st, err := r.js.Stream(r.t.Context(), stream.Gap)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		r.t.Fatal(err)
	}
	var events []Event
	state := st.CachedInfo().State
	for sequence := max(state.FirstSeq, 1); sequence <= state.LastSeq; sequence++ {
		msg, err := st.GetMsg(r.t.Context(), sequence)
		if err != nil {
			r.t.Fatal(err)
		}
		var e Event
		if err := json.Unmarshal(msg.Data, &e); err != nil {
			r.t.Fatal(err)
		}
		if msg.Subject != "prevention.gap."+e.Data.Programme || msg.Header.Get("Nats-Msg-Id") != e.ID {
			r.t.Errorf("event %s is on %s with the headers %v", e.ID, msg.Subject, msg.Header)
		}
		events = append(events, e)
	}
	return events
}

// check fails the test unless the stream holds exactly these changes, each programme's in this order, and every one is
// noted as published.
func (r *rig) check(want ...row) {
	r.t.Helper()
	events := r.published()
	if len(events) != len(want) {
		r.t.Errorf("%d messages in the stream, want %d", len(events), len(want))
	}
	expected := map[string][]string{}
	for _, c := range want {
		expected[c.programme] = append(expected[c.programme], c.eventID)
	}
	got := map[string][]string{}
	for _, e := range events {
		got[e.Data.Programme] = append(got[e.Data.Programme], e.ID)
	}
	for programme, ids := range expected {
		if fmt.Sprint(got[programme]) != fmt.Sprint(ids) {
			r.t.Errorf("%s: published\n%v\nwant\n%v", programme, got[programme], ids)
		}
	}
	if noted := r.noted(); noted != len(want) {
		r.t.Errorf("%d are noted as published, want %d", noted, len(want))
	}
}

// noted is how many changes are noted as published.
func (r *rig) noted() int {
	r.t.Helper()
	var n uint64
	if err := r.store.QueryRow(r.t.Context(), "SELECT uniqExact(event_id) FROM prevention.verdict_published").Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return int(n)
}

// metric is the sum of a metric over its labels.
func metric(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// running is an announcer at work, stopped at the end of the test at the latest.
func running(t *testing.T, a *Announcer) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- a.Run(ctx)
		close(ended)
	}()
	stop = func() error {
		cancel()
		return <-ended
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// eventually waits until a condition holds; it says what is still wrong, or "".
func eventually(t *testing.T, condition func() (wrong string)) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for {
		wrong := condition()
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still not so after three minutes: %s", wrong)
		}
		<-ticks.C
	}
}
