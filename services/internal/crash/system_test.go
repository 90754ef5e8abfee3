package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/demo"
	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/load"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/simulate/feed"
	"gapwatch/services/internal/standalone"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// system is NATS and ClickHouse with the reference data of a simulated health system, and its history to be published.
type system struct {
	t          testing.TB
	history    *simulate.History
	nats       *streamtest.Server
	nc         *nats.Conn
	js         jetstream.JetStream
	engine     *engine.Process
	options    engine.Options
	clickhouse driver.Conn
	created    uint64 // when the stream was made
	last       uint64 // sequence of its last message when all are published
}

// peopleFor is how many people send so many messages or a few more: how many one sends depends on the day.
func peopleFor(t testing.TB, seed uint64, messages int) int {
	t.Helper()
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	const few = 10_000
	h, err := simulate.New(simulate.Config{Seed: seed, People: few, Now: time.Now(), Programmes: set})
	if err != nil {
		t.Fatal(err)
	}
	return messages * few / h.Expected().Messages * 11 / 10
}

func newSystem(t testing.TB, seed uint64, people int) *system {
	t.Helper()
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	library, err := enginetest.Library()
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, nats: streamtest.New(t), options: engine.Options{DataDir: t.TempDir(), LibPath: library}}
	s.startEngine()
	s.options.Listen = s.engine.Addr()
	t.Cleanup(func() { s.engine.Stop() })
	// The services judge events by the real clock.
	s.history, err = simulate.New(simulate.Config{Seed: seed, People: people, Now: time.Now().UTC().Truncate(time.Second), Programmes: set})
	if err != nil {
		t.Fatal(err)
	}
	// The stream knows every id for as long as the test takes, so that it is known how many messages it takes.
	s.nc, s.js = s.nats.Ensure(stream.Options{Duplicates: 6 * time.Hour})
	s.created = uint64(s.stream(stream.Events).Created.UnixNano())
	expected := s.history.Expected()
	s.last = uint64(expected.Messages - expected.Repeats)

	if err := store.Migrate(t.Context(), s.engine.URL()); err != nil {
		t.Fatal(err)
	}
	if s.clickhouse, err = store.Open(s.engine.URL()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.clickhouse.Close() })
	files := t.TempDir()
	if err := s.history.WriteReference(files); err != nil {
		t.Fatal(err)
	}
	plan, err := load.Check(t.Context(), []string{files}, load.Options{Programmes: set})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reference.Load(t.Context(), s.clickhouse, plan); err != nil {
		t.Fatal(err)
	}
	return s
}

// startEngine starts the engine where it was.
func (s *system) startEngine() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	process, err := engine.Start(ctx, s.options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.engine = process
}

func (s *system) stream(name string) *jetstream.StreamInfo {
	s.t.Helper()
	st, err := s.js.Stream(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return st.CachedInfo()
}

// publishing is a history on its way.
type publishing struct {
	ended  chan struct{}
	report feed.Report
	err    error
}

// publish begins to publish the history.
func (s *system) publish(perSecond float64) *publishing {
	s.t.Helper()
	nc, _ := s.nats.Connect()
	p := &publishing{ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.report, p.err = feed.Publish(s.t.Context(), nc, s.history.Messages(), feed.Options{PerSecond: perSecond})
	}()
	return p
}

// patience is how long nothing may move before a test gives up. The machine may be busy with other tests.
const patience = 4 * time.Minute

// until waits until look says that what it waits for is so. look also says how far things are; an error means that it
// cannot be told just now, since something was cut off.
func (s *system) until(what string, look func(context.Context) (done bool, progress any, err error)) {
	s.t.Helper()
	var last any
	var problem error
	moved := time.Now()
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for {
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
		done, progress, err := look(ctx)
		cancel()
		switch {
		case err != nil:
			problem = err
		case done:
			return
		case progress != last:
			last, moved = progress, time.Now()
		}
		if time.Since(moved) > patience {
			s.t.Fatalf("waiting until %s: nothing has moved for %s: %v (last error: %v)", what, patience, last, problem)
		}
		<-ticks.C
	}
}

// handled is how many messages were handled.
func (s *system) handled(ctx context.Context) (n uint64, err error) {
	err = s.clickhouse.QueryRow(ctx, "SELECT uniqExact(sequence) FROM prevention.handled WHERE stream = ?", s.created).Scan(&n)
	return n, err
}

// published is the sequence up to which all programmes are published.
func (s *system) published(ctx context.Context) (sequence uint64, err error) {
	var programmes uint64
	err = s.clickhouse.QueryRow(ctx, `SELECT count(), min(sequence) FROM (
		SELECT toUInt64(bitAnd(id, toUInt128(18446744073709551615))) AS sequence FROM prevention.published_now WHERE season = '' AND place = '')`).Scan(&programmes, &sequence)
	if programmes < uint64(len(s.history.Programmes().Programmes)) {
		sequence = 0
	}
	return sequence, err
}

// settled waits until every message is handled, acknowledged and counted.
func (s *system) settled(p *publishing, alive func()) {
	s.t.Helper()
	s.until("all is published, handled and counted", func(ctx context.Context) (bool, any, error) {
		alive()
		select {
		case <-p.ended:
		default:
			handled, err := s.handled(ctx)
			return false, handled, err
		}
		if p.err != nil {
			s.t.Fatalf("publish: %v", p.err)
		}
		handled, err := s.handled(ctx)
		if err != nil {
			return false, nil, err
		}
		consumer, err := s.js.Consumer(ctx, stream.Events, stream.Collector)
		if err != nil {
			return false, nil, err
		}
		pending := consumer.CachedInfo().NumPending + uint64(consumer.CachedInfo().NumAckPending)
		counted, err := s.published(ctx)
		return handled >= s.last && pending == 0 && counted >= s.last,
			fmt.Sprintf("%d messages, %d handled, %d not acknowledged, counted up to %d", s.last, handled, pending, counted), err
	})
}

// redelivered is how many deliveries went beyond the first of each message.
func (s *system) redelivered() uint64 {
	s.t.Helper()
	consumer, err := s.js.Consumer(s.t.Context(), stream.Events, stream.Collector)
	if err != nil {
		s.t.Fatal(err)
	}
	return consumer.CachedInfo().Delivered.Consumer - s.last
}

// truth compares every cell and the fate of every message with what must be, and with a full recompute.
func (s *system) truth(report feed.Report) demo.Result {
	s.t.Helper()
	if last := s.stream(stream.Events).State.LastSeq; last != s.last {
		s.t.Errorf("the stream took %d messages, want %d", last, s.last)
	}
	// A message whose confirmation was lost with NATS was published again, and was then one that the stream had.
	expected := s.history.Expected()
	again := int(report.Duplicates) - expected.Repeats
	if again < 0 || report.Confirmed != uint64(expected.Messages) {
		s.t.Errorf("%d messages were confirmed, %d of them as duplicates; want %d and at least %d", report.Confirmed, report.Duplicates, expected.Messages, expected.Repeats)
	}
	report.Duplicates -= uint64(again)
	result, differences, err := demo.Check(s.t.Context(), &standalone.System{ClickHouse: s.clickhouse, JetStream: s.js}, s.history, report)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, difference := range differences {
		s.t.Error(difference)
	}
	if !result.Good() || result.CellsCompared == 0 {
		s.t.Errorf("%+v", result)
	}
	s.letters()

	aggregator, err := rollup.New(rollup.Config{ClickHouse: s.clickhouse, Programmes: s.history.Programmes()})
	if err != nil {
		s.t.Fatal(err)
	}
	audit, err := aggregator.Audit(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if audit.Compared == 0 || audit.Mismatches != 0 || len(audit.Skipped) != 0 {
		s.t.Errorf("audit: %+v", audit)
	}
	return result
}

// letters wants one dead letter for each message that was handled as one, and no other.
func (s *system) letters() {
	s.t.Helper()
	ctx := s.t.Context()
	handled := map[uint64]bool{}
	rows, err := s.clickhouse.Query(ctx, "SELECT DISTINCT sequence FROM prevention.handled WHERE stream = ? AND outcome = 'dead letter'", s.created)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		var sequence uint64
		if err := rows.Scan(&sequence); err != nil {
			s.t.Fatal(err)
		}
		handled[sequence] = true
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	dead, err := s.js.Stream(ctx, stream.DeadLetters)
	if err != nil {
		s.t.Fatal(err)
	}
	found := map[uint64]bool{}
	for at := uint64(1); at <= dead.CachedInfo().State.LastSeq; at++ {
		raw, err := dead.GetMsg(ctx, at)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			s.t.Fatal(err)
		}
		var letter collect.Letter
		if err := json.Unmarshal(raw.Data, &letter); err != nil {
			s.t.Fatal(err)
		}
		if found[letter.Sequence] {
			s.t.Errorf("two dead letters for message %d", letter.Sequence)
		}
		if found[letter.Sequence] = true; !handled[letter.Sequence] {
			s.t.Errorf("message %d has a dead letter and was not handled as one", letter.Sequence)
		}
	}
	if len(found) != len(handled) || len(found) != s.history.Expected().Dead() {
		s.t.Errorf("%d dead letters, %d messages handled as such, want %d", len(found), len(handled), s.history.Expected().Dead())
	}
}
