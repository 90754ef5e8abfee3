package collect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

// restartable is an engine that can be away for as long as a test likes: it is refused while stopped, and comes back
// with the same folder at the same address.
type restartable struct {
	t       *testing.T
	options engine.Options
	*engine.Process
}

func newRestartable(t *testing.T) *restartable {
	t.Helper()
	library, err := enginetest.Library()
	if err != nil {
		t.Fatal(err)
	}
	e := &restartable{t: t, options: engine.Options{DataDir: t.TempDir(), LibPath: library}}
	e.start()
	e.options.Listen = e.Addr()
	t.Cleanup(func() { e.Stop() })
	return e
}

func (e *restartable) start() {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	process, err := engine.Start(ctx, e.options)
	if err != nil {
		e.t.Fatal(err)
	}
	e.Process = process
}

func TestClickHouseAwayForLongerThanAnyWait(t *testing.T) {
	e := newRestartable(t)
	r := newRigOn(t, e.URL(), stream.Options{})
	r.publish(r.samples(0, 200)...)
	// The signs of life must hold the messages well beyond AckWait (3 s), and the longest wait is 100 ms.
	run := r.collect(nil)
	r.settled()
	e.Kill() // in the middle of nothing: the supervisor brings it back
	r.publish(r.samples(200, 400)...)
	r.settled()
	e.Stop()
	r.publish(r.samples(400, 410)...)
	tried := func(n float64) {
		t.Helper()
		eventually(t, func() string {
			if got := run.metric("gapwatch_retries_total", "what", "insert events"); got < n {
				return fmt.Sprintf("%v tries failed", got)
			}
			return ""
		})
	}
	tried(1)
	other := r.collect(nil) // it would be given what the first one seems to have forgotten
	tried(60)               // at least 4 s
	r.publish(r.samples(410, 3000)...)
	tried(80)
	if ready := run.ready(); !strings.Contains(ready, "ClickHouse") {
		t.Errorf("readiness while ClickHouse is away: %q", ready)
	}
	e.start()
	r.settled()
	r.check("rows", r.stored(), 3000)
	r.check("handled", r.handled("stored"), 3000)
	r.check("dead letters", r.info(stream.DeadLetters).State.Msgs, 0)
	if again := run.metric("gapwatch_redeliveries_total") + other.metric("gapwatch_redeliveries_total"); again != 0 {
		t.Errorf("%v messages were taken from the collector that held them", again)
	}
	if ready := run.ready(); ready != "collector: ok\n" {
		t.Errorf("readiness afterwards: %q", ready)
	}
}

func TestClickHouseStartsAfterTheCollector(t *testing.T) {
	e := newRestartable(t)
	r := newRigOn(t, e.URL(), stream.Options{})
	e.Stop()
	r.publish(r.samples(0, 100)...)
	run := r.collect(func(c *collect.Config) {
		c.Prepare = func(ctx context.Context) error { return store.Migrate(ctx, r.url) }
	})
	eventually(t, func() string {
		if run.metric("gapwatch_retries_total", "what", "prepare ClickHouse") == 0 {
			return "it has not tried yet"
		}
		return ""
	})
	e.start()
	r.settled()
	r.check("rows", r.stored(), 100)
}

func TestToldToStopWhileClickHouseIsAwayHandsBack(t *testing.T) {
	e := newRestartable(t)
	r := newRigOn(t, e.URL(), stream.Options{})
	run := r.collect(func(c *collect.Config) { c.StopTimeout = 50 * time.Millisecond })
	eventually(t, func() string {
		if ready := run.ready(); ready != "collector: ok\n" {
			return "readiness: " + ready
		}
		return ""
	})
	e.Stop()
	r.publish(r.samples(0, 100)...)
	eventually(t, func() string {
		if run.metric("gapwatch_retries_total", "what", "insert events") == 0 {
			return "it has no batch yet"
		}
		return ""
	})
	if err := run.finish(); err != nil {
		t.Fatal(err)
	}
	e.start()
	r.collect(nil)
	r.settled()
	r.check("rows", r.stored(), 100)
}

func TestNATSRestarts(t *testing.T) {
	r := newRig(t, stream.Options{})
	run := r.collect(func(c *collect.Config) { c.Batch = 200 })
	published := make(chan struct{})
	go func() {
		defer close(published)
		r.publish(r.samples(0, 20000)...)
	}()
	for _, n := range []float64{2000, 8000} {
		eventually(t, func() string {
			if got := run.metric("gapwatch_events_total"); got < n {
				return fmt.Sprintf("%v messages are stored", got)
			}
			return ""
		})
		r.nats.Stop()
		r.nats.Start()
	}
	<-published
	r.settled()
	r.check("rows", r.stored(), 20000)
	r.check("dead letters", r.info(stream.DeadLetters).State.Msgs, 0)
	if err := run.finish(); err != nil {
		t.Error(err)
	}
}

func TestNATSStartsAfterTheCollector(t *testing.T) {
	r := newRig(t, stream.Options{})
	r.publish(r.samples(0, 10)...)
	r.nats.Stop()
	run := r.collect(nil)
	eventually(t, func() string {
		if ready := run.ready(); !strings.Contains(ready, "NATS") {
			return "readiness: " + ready
		}
		return ""
	})
	r.nats.Start()
	r.settled()
	r.check("rows", r.stored(), 10)
}

func TestStreamMadeAgain(t *testing.T) {
	r := newRig(t, stream.Options{})
	run := r.collect(nil)
	r.publish(r.samples(0, 100)...)
	r.settled()
	before := r.created()
	if err := r.js.DeleteStream(t.Context(), stream.Events); err != nil {
		t.Fatal(err)
	}
	// The collector itself makes what is missing.
	eventually(t, func() string {
		st, err := r.js.Stream(t.Context(), stream.Events)
		if err != nil {
			return err.Error()
		}
		if uint64(st.CachedInfo().Created.UnixNano()) == before {
			return "the stream is the old one"
		}
		return ""
	})
	r.publish(r.samples(100, 150)...)
	r.settled()
	r.check("rows", r.stored(), 150)
	r.check("handled of the old stream", r.count("SELECT uniqExact(sequence) FROM prevention.handled WHERE stream = ?", before), 100)
	r.check("handled of the new stream", r.handled("stored"), 50)
	r.check("rows of the new stream", r.count("SELECT count() FROM prevention.events FINAL WHERE source = ? AND stream = ?", r.source, r.created()), 50)
	eventually(t, func() string {
		if got := run.metric("gapwatch_unaccounted_messages"); got != 0 {
			return fmt.Sprintf("%v messages are unaccounted for", got)
		}
		return ""
	})
}

// A NATS that is restored beside a newer ClickHouse is said to be: with the stream that it had, and after another one was made.
func TestStreamOlderThanWhatWasHandled(t *testing.T) {
	r := newRigOn(t, enginetest.New(t).URL(), stream.Options{})
	backup := filepath.Join(t.TempDir(), "nats")
	collected := func(upTo int) {
		t.Helper()
		r.publish(r.samples(upTo-10, upTo)...)
		run := r.collect(nil)
		r.settled()
		run.accounted(0, 0, 0)
		if run.metric("gapwatch_stream_older") != 0 {
			t.Error("the stream is said to be older")
		}
		if err := run.finish(); err != nil {
			t.Fatal(err)
		}
	}
	restored := func(created time.Time, last int) {
		t.Helper()
		r.nats.Stop()
		if err := os.RemoveAll(r.nats.Dir()); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(r.nats.Dir(), os.DirFS(backup)); err != nil {
			t.Fatal(err)
		}
		r.nats.Start()
		var log bytes.Buffer
		run := r.collect(func(c *collect.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		older := func() string {
			if run.metric("gapwatch_stream_older") != 1 {
				return "the stream is not said to be older"
			}
			return ""
		}
		eventually(t, older)
		r.publish(r.samples(100, 200)...) // more than were handled
		run.accounted(0, 0, 0)
		if wrong := older(); wrong != "" {
			t.Error(wrong)
		}
		if err := run.finish(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"deploy/BACKUP.md", "last=10 ", fmt.Sprint("handled_last=", last), " created=" + r.info(stream.Events).Created.UTC().Format("2006-01-02T15:04:05.000Z"),
			"handled_created=" + created.UTC().Format("2006-01-02T15:04:05.000Z")} {
			if strings.Count(log.String(), want) != 1 {
				t.Errorf("%q is not once in %s", want, &log)
			}
		}
	}
	collected(10)
	created := r.info(stream.Events).Created
	r.nats.Stop()
	if err := os.CopyFS(backup, os.DirFS(r.nats.Dir())); err != nil {
		t.Fatal(err)
	}
	r.nats.Start()
	collected(20)
	restored(created, 20)
	if err := r.js.DeleteStream(t.Context(), stream.Events); err != nil {
		t.Fatal(err)
	}
	r.nats.Ensure(stream.Options{})
	created = r.info(stream.Events).Created
	collected(10)
	restored(created, 10)
}

// One row that ClickHouse will never take must not hold up the others, nor take them with it.
func TestOneRowThatCannotBeStored(t *testing.T) {
	r := newRigOn(t, enginetest.New(t).URL(), stream.Options{})
	r.exec("ALTER TABLE prevention.events ADD CONSTRAINT test CHECK practice != 'B00001'")
	events := r.samples(0, 1000)
	events[0].Practice, events[617].Practice, events[999].Practice = "B00001", "B00001", "B00001" // the last one of all as well
	r.publish(events...)
	run := r.collect(nil)
	r.settled()
	r.check("rows", r.stored(), 997)
	r.check("handled as stored", r.handled("stored"), 997)
	r.check("handled as dead letters", r.handled("dead letter"), 3)
	letters := r.letters()
	r.check("dead letters", uint64(len(letters)), 3)
	for _, sequence := range []uint64{1, 618, 1000} {
		letter := letters[sequence]
		if letter.Reason != collect.NotStorable || letter.Field != "payload" || letter.Detail != "ClickHouse refuses it with error 469" ||
			letter.Payload != string(event.Encode(&events[sequence-1])) {
			t.Errorf("sequence %d: %+v", sequence, letter)
		}
	}
	if got := run.metric("gapwatch_events_total", "outcome", "stored"); got != 997 {
		t.Errorf("counted %v as stored", got)
	}
}

// Bad rows do not make a fault of the table, however many they are beside one that is stored.
func TestOneRowThatCanBeStoredAmongManyThatCannot(t *testing.T) {
	r := newRigOn(t, enginetest.New(t).URL(), stream.Options{})
	r.exec("ALTER TABLE prevention.events ADD CONSTRAINT test CHECK practice != 'B00001'")
	events := r.samples(0, 40)
	for i := range 39 {
		events[i].Practice = "B00001"
	}
	r.publish(events...)
	r.collect(nil)
	r.settled()
	r.check("rows", r.stored(), 1)
	r.check("handled as dead letters", r.handled("dead letter"), 39)
}

// before does something before an insert into prevention.events, which are numbered from 1.
type before struct {
	driver.Conn
	inserts atomic.Int32
	number  int32
	do      func()
}

func (b *before) PrepareBatch(ctx context.Context, query string, opts ...driver.PrepareBatchOption) (driver.Batch, error) {
	if strings.Contains(query, "INTO prevention.events") && b.inserts.Add(1) == b.number {
		b.do()
	}
	return b.Conn.PrepareBatch(ctx, query, opts...)
}

func TestATableThatIsRepairedWhileABatchIsHalved(t *testing.T) {
	r := newRigOn(t, enginetest.New(t).URL(), stream.Options{})
	r.exec("ALTER TABLE prevention.events ADD CONSTRAINT test CHECK dose = 9")
	r.publish(r.samples(0, 8)...)
	r.collect(func(c *collect.Config) { // eight rows take 15 inserts: the last eight are of one row each
		c.MaxAge, c.InsertTimeout = 5*time.Second, 15*time.Second // all in one batch, no try twice
		c.ClickHouse = &before{Conn: c.ClickHouse, number: 13, do: func() { r.exec("ALTER TABLE prevention.events DROP CONSTRAINT test") }}
	})
	r.settled()
	r.check("rows", r.stored(), 8)
	r.check("dead letters", r.info(stream.DeadLetters).State.Msgs, 0)
}

func TestATableThatBreaksWhileABatchIsHalved(t *testing.T) {
	r := newRigOn(t, enginetest.New(t).URL(), stream.Options{})
	r.exec("ALTER TABLE prevention.events ADD CONSTRAINT bad CHECK practice != 'B00001'")
	events := r.samples(0, 100)
	events[0].Practice = "B00001"
	r.publish(events...)
	run := r.collect(func(c *collect.Config) { // the second half is stored by the third insert
		c.MaxAge, c.InsertTimeout = 5*time.Second, 15*time.Second // all in one batch, no try twice
		c.ClickHouse = &before{Conn: c.ClickHouse, number: 4, do: func() { r.exec("ALTER TABLE prevention.events ADD CONSTRAINT test CHECK dose = 9") }}
	})
	if err := run.wait(); !errors.Is(err, collect.ErrEverythingRefused) {
		t.Fatalf("it ended with %v", err)
	}
	r.check("dead letters", r.info(stream.DeadLetters).State.Msgs, 0)
	r.exec("ALTER TABLE prevention.events DROP CONSTRAINT test")
	r.collect(nil)
	r.settled()
	r.check("rows", r.stored(), 99)
	r.check("dead letters", r.info(stream.DeadLetters).State.Msgs, 1)
}

// A batch that takes longer than InsertTimeout gets more time.
func TestAnInsertThatTakesLong(t *testing.T) {
	r := newRigOn(t, enginetest.New(t).URL(), stream.Options{})
	r.exec("ALTER TABLE prevention.events ADD CONSTRAINT slow CHECK sleepEachRow(0.001) = 0")
	r.publish(r.samples(0, 1000)...)
	run := r.collect(nil)
	r.settled()
	r.check("rows", r.stored(), 1000)
	if run.metric("gapwatch_retries_total", "what", "insert events") == 0 {
		t.Error("none took long")
	}
}

func TestATableThatRefusesEverythingStopsTheCollector(t *testing.T) {
	r := newRigOn(t, enginetest.New(t).URL(), stream.Options{})
	r.exec("ALTER TABLE prevention.events ADD CONSTRAINT test CHECK person = toUUID('00000000-0000-0000-0000-000000000000')")
	r.publish(r.samples(0, 100)...)
	var log bytes.Buffer
	err := r.collect(func(c *collect.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }).wait()
	if !errors.Is(err, collect.ErrEverythingRefused) {
		t.Fatalf("it ended with %v", err)
	}
	if says := log.String() + err.Error(); strings.Contains(says, "01000000-") {
		t.Errorf("it says what the rows hold: %s", says)
	}
	r.check("dead letters", r.info(stream.DeadLetters).State.Msgs, 0)
	r.check("messages", r.info(stream.Events).State.Msgs, 100)
	r.exec("ALTER TABLE prevention.events DROP CONSTRAINT test")
	r.collect(nil)
	r.settled()
	r.check("rows", r.stored(), 100)
}

// However small the batches are: here one event at a time.
func TestATableThatRefusesEverythingStopsTheCollectorWhateverTheBatch(t *testing.T) {
	r := newRigOn(t, enginetest.New(t).URL(), stream.Options{})
	events := r.samples(0, 100)
	r.publish(events[0])
	run := r.collect(func(c *collect.Config) { c.Batch, c.InsertTimeout = 1, 15*time.Second })
	r.settled()
	r.exec("ALTER TABLE prevention.events ADD CONSTRAINT test CHECK dose = 9")
	r.publish(events[1:16]...) // one less than are needed to blame the table
	eventually(t, func() string {
		if ready := run.ready(); !strings.Contains(ready, "refuses rows, the last 15 of them") {
			return "readiness: " + ready
		}
		return ""
	})
	again := run.metric("gapwatch_redeliveries_total")
	eventually(t, func() string { // the same ones again are no others
		if run.metric("gapwatch_redeliveries_total") < again+30 {
			return "they do not come again"
		}
		return ""
	})
	r.publish(events[16:]...)
	if err := run.wait(); !errors.Is(err, collect.ErrEverythingRefused) {
		t.Fatalf("it ended with %v", err)
	}
	r.check("dead letters", r.info(stream.DeadLetters).State.Msgs, 0)
	r.check("handled", r.handled("stored"), 1)
	r.exec("ALTER TABLE prevention.events DROP CONSTRAINT test")
	r.collect(nil)
	r.settled()
	r.check("rows", r.stored(), 100)
	r.check("dead letters", r.info(stream.DeadLetters).State.Msgs, 0)
}

// A bad row that comes alone waits for a good one, and is a dead letter then.
func TestARowThatCannotBeStoredComesAlone(t *testing.T) {
	r := newRigOn(t, enginetest.New(t).URL(), stream.Options{})
	r.exec("ALTER TABLE prevention.events ADD CONSTRAINT test CHECK practice != 'B00001'")
	events := r.samples(0, 2)
	events[0].Practice = "B00001"
	r.publish(events[0])
	run := r.collect(nil)
	eventually(t, func() string {
		if run.metric("gapwatch_redeliveries_total") == 0 {
			return "it does not come again"
		}
		return ""
	})
	r.check("dead letters", r.info(stream.DeadLetters).State.Msgs, 0)
	r.publish(events[1])
	r.settled()
	r.check("rows", r.stored(), 1)
	r.check("handled as dead letters", r.handled("dead letter"), 1)
	if letters := r.letters(); len(letters) != 1 || letters[1].Reason != collect.NotStorable {
		t.Errorf("%+v", letters)
	}
	if ready := run.ready(); ready != "collector: ok\n" {
		t.Errorf("readiness: %q", ready)
	}
}

func TestAMissingTableStopsTheCollector(t *testing.T) {
	r := newRigOn(t, enginetest.New(t).URL(), stream.Options{})
	r.exec("RENAME TABLE prevention.events TO prevention.away")
	r.publish(r.samples(0, 100)...)
	if err := r.collect(nil).wait(); err == nil || store.Judge(err) != store.Stop {
		t.Fatalf("it ended with %v", err)
	}
	r.exec("RENAME TABLE prevention.away TO prevention.events")
	r.check("dead letters", r.info(stream.DeadLetters).State.Msgs, 0)
	r.collect(nil)
	r.settled()
	r.check("rows", r.stored(), 100)
}

func (r *rig) exec(statement string) {
	r.t.Helper()
	if err := r.clickhouse.Exec(r.t.Context(), statement); err != nil {
		r.t.Fatal(err)
	}
}

// A batch may hold more programmes and seasons than one insert may touch partitions.
func TestBatchOverManyPartitions(t *testing.T) {
	r := newRig(t, stream.Options{})
	var file strings.Builder
	file.WriteString("imd: 2025\nprogrammes:\n")
	for i := range 130 {
		fmt.Fprintf(&file, "  - {id: check-%d, name: Check %d, kind: rolling, event: health-check, validity: 12, target: 50, history_from: 2025-01-01,\n"+
			"     limits: {floor: 100, smallest_change: 1, unknown_area: 10, ceiling: 20}, eligible: all, source: this test}\n", i, i)
	}
	programmes, err := programme.Parse("test", []byte(file.String()))
	if err != nil {
		t.Fatal(err)
	}
	r.programmes = programmes
	events := r.samples(0, 1300)
	for i := range events {
		events[i].Type, events[i].Programme = event.TypeHealthCheck, fmt.Sprintf("check-%d", i%130)
	}
	r.publish(events...)
	run := r.collect(func(c *collect.Config) { c.Batch, c.MaxAge, c.InsertTimeout = 1300, 20*time.Second, time.Minute })
	r.settled()
	r.check("rows", r.stored(), 1300)
	r.check("dead letters", r.info(stream.DeadLetters).State.Msgs, 0)
	if inserts, batches := run.metric("gapwatch_insert_seconds"), run.metric("gapwatch_batches_total"); batches != 1 || inserts != 3 {
		t.Errorf("%v inserts for %v batches, want 3 for 1", inserts, batches)
	}
}

func TestFullDeadLetterStreamStopsTheCollectorAndLosesNothing(t *testing.T) {
	r := newRig(t, stream.Options{DeadLetterBytes: 8 << 10})
	events := r.samples(0, 200)
	for i := range events {
		if i%2 == 0 {
			events[i].LSOA = "nowhere"
		}
	}
	r.publish(events...)
	small := func(c *collect.Config) { c.Streams.DeadLetterBytes = 8 << 10 }
	if err := r.collect(small).wait(); !errors.Is(err, collect.ErrDeadLettersFull) || !errors.Is(err, stream.ErrFull) {
		t.Fatalf("it ended with %v", err)
	}
	r.check("messages", r.info(stream.Events).State.Msgs, 200)
	r.collect(nil) // the default is 1 GiB
	r.settled()
	r.check("rows", r.stored(), 100)
	r.check("dead letters", uint64(len(r.letters())), 100)
	r.check("handled as dead letters", r.handled("dead letter"), 100)
}

func TestFullStream(t *testing.T) {
	r := newRig(t, stream.Options{MaxBytes: 100 << 10})
	taken := 0
	var refused error
	for refused == nil && taken < 10000 {
		e := r.sample(taken)
		if _, refused = stream.Publish(t.Context(), r.js, stream.Message(event.Subject(&e), event.MsgID(&e), event.Encode(&e))); refused == nil {
			taken++
		}
	}
	if !errors.Is(refused, stream.ErrFull) {
		t.Fatalf("the publisher was told %v", refused)
	}
	run := r.collect(func(c *collect.Config) { c.Streams.MaxBytes = 100 << 10 })
	r.settled()
	r.check("rows", r.stored(), uint64(taken))
	eventually(t, func() string {
		if full := run.metric("gapwatch_stream_full_ratio", "stream", stream.Events); full < 0.9 || full > 1 {
			return fmt.Sprintf("fullness %v", full)
		}
		return ""
	})
	// The stream is a buffer: what was handled may be made room of. The refused event is then taken.
	st, err := r.js.Stream(t.Context(), stream.Events)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Purge(t.Context(), jetstream.WithPurgeKeep(10)); err != nil {
		t.Fatal(err)
	}
	r.publish(r.sample(taken))
	r.settled()
	r.check("rows", r.stored(), uint64(taken)+1)
}

func TestConsumerThatCannotBeMadeRightStopsTheCollector(t *testing.T) {
	r := newRig(t, stream.Options{})
	if _, err := r.js.CreateConsumer(t.Context(), stream.Events, jetstream.ConsumerConfig{Durable: stream.Collector, AckPolicy: jetstream.AckAllPolicy}); err != nil {
		t.Fatal(err)
	}
	if err := r.collect(nil).wait(); !errors.Is(err, stream.ErrStream) {
		t.Fatalf("it ended with %v", err)
	}
}

func TestConsumerThatSomebodyChangedIsRepaired(t *testing.T) {
	r := newRig(t, stream.Options{})
	if _, err := r.js.CreateConsumer(t.Context(), stream.Events, jetstream.ConsumerConfig{
		Durable: stream.Collector, AckPolicy: jetstream.AckExplicitPolicy, MaxDeliver: 3, MaxAckPending: 50_000, AckWait: time.Second,
		FilterSubject: "prevention.events.vaccination.*", MaxRequestBatch: 5,
	}); err != nil {
		t.Fatal(err)
	}
	check := r.sample(1)
	check.Type, check.Programme = event.TypeHealthCheck, "bp-check"
	r.publish(r.sample(0), check)
	r.collect(nil)
	r.settled()
	r.check("rows", r.stored(), 2)
	consumer, err := r.js.Consumer(t.Context(), stream.Events, stream.Collector)
	if err != nil {
		t.Fatal(err)
	}
	got := consumer.CachedInfo().Config
	if got.MaxDeliver != -1 || got.MaxAckPending != 50_000 || got.AckWait != 3*time.Second || got.FilterSubject != "" || got.MaxRequestBatch != 0 {
		t.Errorf("%+v", got)
	}
}
