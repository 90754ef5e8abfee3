package collect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
	"gapwatch/services/internal/telemetry"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// noon is when all events of the tests are judged.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// rig is a NATS server of its own and a ClickHouse engine. Tests share the engine: what is theirs in it is told by the
// creation time of their stream.
type rig struct {
	t          testing.TB
	nats       *streamtest.Server
	nc         *nats.Conn
	js         jetstream.JetStream
	url        string
	clickhouse driver.Conn
	programmes *programme.Set
	source     string // of its events
}

func newRig(t testing.TB, o stream.Options) *rig {
	return newRigOn(t, enginetest.URL(t), o)
}

func newRigOn(t testing.TB, url string, o stream.Options) *rig {
	t.Helper()
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	programmes, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, nats: streamtest.New(t), url: url, clickhouse: open(t, url), programmes: programmes}
	r.nc, r.js = r.nats.Ensure(o)
	r.source = fmt.Sprintf("urn:test:%s:%x", t.Name(), r.created()) // another one each time that a test is run
	return r
}

func open(t testing.TB, url string) driver.Conn {
	t.Helper()
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// running is a collector at work.
type running struct {
	t     testing.TB
	stop  context.CancelFunc
	ended chan error
	tel   *telemetry.Telemetry
}

// collect starts a collector with connections of its own. It is stopped at the end of the test at the latest.
func (r *rig) collect(change func(*collect.Config)) *running {
	r.t.Helper()
	nc, js := r.nats.Connect()
	config := collect.Config{
		JetStream: js, ClickHouse: open(r.t, r.url), Programmes: r.programmes, Telemetry: telemetry.New(),
		Logger: slog.New(slog.NewTextHandler(r.t.Output(), nil)),
		Now:    func() time.Time { return noon },
		MaxAge: 20 * time.Millisecond, Batch: 1000,
		InsertTimeout: 700 * time.Millisecond, FlushTimeout: 300 * time.Millisecond, StopTimeout: 5 * time.Second,
		RetryFirst: 10 * time.Millisecond, RetryMost: 100 * time.Millisecond,
		AccountEvery: 20 * time.Millisecond, LostAfter: 300 * time.Millisecond,
	}
	if change != nil {
		change(&config)
	}
	c, err := collect.New(config)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	run := &running{t: r.t, stop: stop, ended: make(chan error, 1), tel: config.Telemetry}
	go func() {
		run.ended <- c.Run(ctx)
		close(run.ended)
		nc.Close()
	}()
	r.t.Cleanup(func() {
		stop()
		for range run.ended { // wait until it has ended
		}
	})
	return run
}

// finish tells the collector to stop and returns what Run did.
func (run *running) finish() error {
	run.t.Helper()
	run.stop()
	return run.wait()
}

// wait waits for the collector to end by itself.
func (run *running) wait() error {
	run.t.Helper()
	select {
	case err := <-run.ended:
		return err
	case <-time.After(30 * time.Second):
		run.t.Fatal("the collector did not end")
		return nil
	}
}

// metric is the sum of a metric over the label values given, in pairs.
func (run *running) metric(name string, labels ...string) float64 {
	run.t.Helper()
	families, err := run.tel.Registry.Gather()
	if err != nil {
		run.t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	metrics:
		for _, m := range family.GetMetric() {
			have := make(map[string]string)
			for _, label := range m.GetLabel() {
				have[label.GetName()] = label.GetValue()
			}
			for i := 0; i < len(labels); i += 2 {
				if have[labels[i]] != labels[i+1] {
					continue metrics
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// eventually waits until a condition holds; it says what is still wrong, or "".
func eventually(t testing.TB, condition func() (wrong string)) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for {
		wrong := condition()
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still not so after two minutes: %s", wrong)
		}
		<-ticks.C
	}
}

// sample is the i-th event of a test: valid, and of another record than all others.
func (r *rig) sample(i int) event.Event {
	return event.Event{
		ID: fmt.Sprintf("emission-%d", i), Source: r.source, Type: event.TypeVaccination,
		Time: noon.Add(-time.Hour), Record: fmt.Sprintf("record-%d", i), Status: event.Completed,
		Person: event.Pseudonym{1, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}, PersonKey: "2026-1",
		Programme: "flu-65", Day: calendar.Date(2026, 11, 1+i%20), LSOA: "E01000001", Ethnicity: "A", Practice: "A81001",
	}
}

func (r *rig) samples(from, to int) []event.Event {
	events := make([]event.Event, 0, to-from)
	for i := from; i < to; i++ {
		events = append(events, r.sample(i))
	}
	return events
}

// publish puts events into the stream, every one confirmed.
func (r *rig) publish(events ...event.Event) {
	r.t.Helper()
	p, err := stream.NewPublisher(r.nc, stream.PublisherOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	defer p.Close()
	for i := range events {
		if err := p.Publish(r.t.Context(), stream.Message(event.Subject(&events[i]), event.MsgID(&events[i]), event.Encode(&events[i]))); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := p.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// send publishes bytes as they are and returns their sequence.
func (r *rig) send(subject, id string, payload []byte) uint64 {
	r.t.Helper()
	ack, err := r.js.PublishMsg(r.t.Context(), stream.Message(subject, id, payload))
	if err != nil {
		r.t.Fatal(err)
	}
	return ack.Sequence
}

func (r *rig) info(name string) *jetstream.StreamInfo {
	r.t.Helper()
	st, err := r.js.Stream(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	return st.CachedInfo()
}

func (r *rig) created() uint64 { return uint64(r.info(stream.Events).Created.UnixNano()) }

func (r *rig) count(query string, args ...any) uint64 {
	r.t.Helper()
	var n uint64
	if err := r.clickhouse.QueryRow(r.t.Context(), query, args...).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// stored counts this test's events, each once.
func (r *rig) stored() uint64 {
	r.t.Helper()
	return r.count("SELECT count() FROM prevention.events FINAL WHERE source = ?", r.source)
}

func (r *rig) handled(outcome string) uint64 {
	r.t.Helper()
	return r.count("SELECT count() FROM prevention.handled FINAL WHERE stream = ? AND outcome = ?", r.created(), outcome)
}

// settled waits until everything in the stream is handled and acknowledged.
func (r *rig) settled() {
	r.t.Helper()
	eventually(r.t, func() string {
		consumer, err := r.js.Consumer(r.t.Context(), stream.Events, stream.Collector)
		if err != nil {
			return err.Error()
		}
		info := consumer.CachedInfo()
		last := r.info(stream.Events).State.LastSeq
		if handled := r.count("SELECT uniqExact(sequence) FROM prevention.handled WHERE stream = ?", r.created()); handled != last || info.NumPending > 0 || info.NumAckPending > 0 {
			return fmt.Sprintf("%d of %d messages are handled, %d are unread, %d not acknowledged", handled, last, info.NumPending, info.NumAckPending)
		}
		return ""
	})
}

// letters are all dead letters, by sequence of the message they are about.
func (r *rig) letters() map[uint64]collect.Letter {
	r.t.Helper()
	letters := make(map[uint64]collect.Letter)
	for _, raw := range r.raw(stream.DeadLetters) {
		var letter collect.Letter
		if err := json.Unmarshal(raw.Data, &letter); err != nil {
			r.t.Fatal(err)
		}
		if _, twice := letters[letter.Sequence]; twice {
			r.t.Errorf("two dead letters for sequence %d", letter.Sequence)
		}
		letters[letter.Sequence] = letter
	}
	return letters
}

// raw is every message of a stream as it is kept.
func (r *rig) raw(name string) []*jetstream.RawStreamMsg {
	r.t.Helper()
	st, err := r.js.Stream(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	var messages []*jetstream.RawStreamMsg
	state := st.CachedInfo().State
	for sequence := state.FirstSeq; sequence <= state.LastSeq; sequence++ {
		msg, err := st.GetMsg(r.t.Context(), sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			r.t.Fatal(err)
		}
		messages = append(messages, msg)
	}
	return messages
}

func (r *rig) check(what string, got, want uint64) {
	r.t.Helper()
	if got != want {
		r.t.Errorf("%s: %d, want %d", what, got, want)
	}
}

// cutOffAt ends a collector the n-th time that it is past a step.
func cutOffAt(step collect.Step, n int) func(collect.Step) error {
	var mu sync.Mutex
	return func(s collect.Step) error {
		mu.Lock()
		defer mu.Unlock()
		if s == step {
			if n--; n <= 0 {
				return errors.New("the power went")
			}
		}
		return nil
	}
}

// ready is what /readyz says.
func (run *running) ready() string {
	run.t.Helper()
	recorder := httptest.NewRecorder()
	run.tel.Handler().ServeHTTP(recorder, httptest.NewRequest("GET", "/readyz", nil))
	return recorder.Body.String()
}
