package heartbeat

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// rig is a store, a NATS and a heart with a clock of its own.
type rig struct {
	t    *testing.T
	nats *streamtest.Server
	js   jetstream.JetStream
	conn driver.Conn
	now  time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	url := enginetest.New(t).URL()
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r := &rig{t: t, nats: streamtest.New(t), conn: conn, now: time.Now().Truncate(time.Minute)}
	_, r.js = r.nats.Connect()
	return r
}

// heart is a new one, as of a process that starts.
func (r *rig) heart(change func(*Config)) *Heart {
	r.t.Helper()
	c := Config{ClickHouse: r.conn, JetStream: r.js, Programmes: programme.NewSet(2025, &programme.Programme{ID: "flu"}, &programme.Programme{ID: "mmr"}),
		Now: func() time.Time { return r.now }}
	if change != nil {
		change(&c)
	}
	h, err := New(c)
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

func (r *rig) exec(query string, args ...any) {
	r.t.Helper()
	if err := r.conn.Exec(context.Background(), query, args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) check(err error) {
	if err != nil {
		r.t.Helper()
		r.t.Fatal(err)
	}
}

// streams makes streams and consumer, as collectors do, and says when the stream was made.
func (r *rig) streams() uint64 {
	r.t.Helper()
	r.check(stream.Ensure(r.t.Context(), r.js, stream.Options{MaxBytes: 1 << 20}))
	_, err := r.js.CreateOrUpdateConsumer(r.t.Context(), stream.Events, jetstream.ConsumerConfig{Durable: stream.Collector, AckPolicy: jetstream.AckExplicitPolicy})
	r.check(err)
	st, err := r.js.Stream(r.t.Context(), stream.Events)
	r.check(err)
	return uint64(st.CachedInfo().Created.UnixNano())
}

func (r *rig) publish(n int) {
	r.t.Helper()
	for range n {
		_, err := r.js.Publish(r.t.Context(), "prevention.events.vaccination.flu", []byte("x"))
		r.check(err)
	}
}

// acknowledge takes so many messages off the stream.
func (r *rig) acknowledge(n int) {
	r.t.Helper()
	consumer, err := r.js.Consumer(r.t.Context(), stream.Events, stream.Collector)
	r.check(err)
	batch, err := consumer.Fetch(n)
	r.check(err)
	for m := range batch.Messages() {
		r.check(m.DoubleAck(r.t.Context()))
	}
	r.check(batch.Error())
}

func (r *rig) handled(created uint64, outcome string, sequences ...int) {
	r.t.Helper()
	if len(sequences) == 0 {
		return
	}
	r.exec("INSERT INTO prevention.handled (stream, sequence, outcome) SELECT ?, arrayJoin(?), ?", created, sequences, outcome)
}

// beat writes a heartbeat 15 seconds after the last one and returns its row.
func (r *rig) beat(h *Heart) string {
	r.t.Helper()
	r.now = r.now.Add(Every)
	r.check(h.Beat(r.t.Context()))
	return r.row()
}

// row is the newest heartbeat: stored, dead letters, lost, waiting, unaccounted, behind.
func (r *rig) row() (row string) {
	r.t.Helper()
	r.check(r.conn.QueryRow(r.t.Context(), `SELECT arrayStringConcat([toString(stored), toString(dead_lettered), toString(lost), toString(waiting), toString(unaccounted)], ' ')
		FROM reporting.feed_now`).Scan(&row))
	return row
}

func (r *rig) want(what, got, want string) {
	if got != want {
		r.t.Helper()
		r.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestWhatCameInAndWhatBecameOfIt(t *testing.T) {
	r := newRig(t)
	h := r.heart(nil)
	r.want("before anything", r.beat(h), "0 0 0 0 0")
	created := r.streams()
	r.publish(6)
	r.want("nobody has read", r.beat(h), "0 0 0 6 0")
	r.acknowledge(5)
	r.handled(created, "stored", 1, 2, 4, 2)
	r.handled(created, "dead letter", 3)
	r.want("acknowledged and not handled", r.beat(h), "3 1 0 1 1")
	r.handled(created, "stored", 5)
	r.want("handled", r.beat(h), "4 1 0 1 0")
	var perSecond, full float64
	r.check(r.conn.QueryRow(t.Context(), "SELECT events_per_second, stream_full FROM reporting.feed_now").Scan(&perSecond, &full))
	if perSecond != 1./15 || full <= 0 || full > 0.01 {
		t.Errorf("%v events a second, the stream %v full", perSecond, full)
	}

	// The oldest go before anybody reads them; one of them is found to be lost.
	r.publish(4)
	st, err := r.js.Stream(t.Context(), stream.Events)
	r.check(err)
	r.check(st.Purge(t.Context(), jetstream.WithPurgeSequence(9)))
	r.want("gone", r.beat(h), "4 1 0 2 3")
	r.handled(created, "lost", 6, 7)
	r.want("lost", r.beat(h), "4 1 2 2 3")
	r.handled(created, "lost", 8)
	r.want("all of them lost", r.beat(h), "4 1 3 2 3")
	r.handled(created, "stored", 7) // a collector had it after all: a process that starts sees it
	r.want("another process", r.beat(r.heart(nil)), "5 1 2 2 2")

	// The stream is made again under the same name.
	r.check(r.js.DeleteStream(t.Context(), stream.Events))
	h = r.heart(nil)
	r.want("no stream", r.beat(h), "5 1 2 0 2")
	r.want("no stream, another process", r.beat(r.heart(nil)), "5 1 2 0 2")
	created = r.streams()
	r.publish(2)
	r.handled(created, "stored", 1)
	r.want("made again", r.beat(h), "6 1 2 2 2")
	r.acknowledge(1) // the first, handled
	r.acknowledge(1)
	r.want("missing beside what the stream before lost", r.beat(h), "6 1 2 0 3")
}

// The server does not tell the consumer of messages that are deleted before it was told of them: none of them waits.
func TestTheNewestMessagesAreDeletedUnread(t *testing.T) {
	r := newRig(t)
	h := r.heart(nil)
	created := r.streams()
	r.publish(3)
	r.acknowledge(1)
	r.handled(created, "stored", 1)
	st, err := r.js.Stream(t.Context(), stream.Events)
	r.check(err)
	r.check(st.DeleteMsg(t.Context(), 2))
	r.check(st.DeleteMsg(t.Context(), 3))
	r.want("deleted", r.beat(h), "1 0 0 0 2")
	r.handled(created, "lost", 2, 3)
	r.want("lost", r.beat(h), "1 0 2 0 2")
}

// TestCountsAreTheSameHoweverTheyCome handles messages in any order and more than once: at every heartbeat a heart that
// has counted along, and one that has just started, say what all rows together say.
func TestCountsAreTheSameHoweverTheyCome(t *testing.T) {
	r := newRig(t)
	h := r.heart(nil)
	created := r.streams()
	random := rand.New(rand.NewPCG(1, 2))
	const messages = 200
	order := random.Perm(messages)
	at := 0
	for at < messages {
		var some [2][]int
		for range 1 + random.IntN(40) {
			if at == messages {
				break
			}
			// Mostly in order, sometimes far ahead, sometimes again.
			s := 1 + at
			if random.IntN(5) == 0 {
				s = 1 + order[at]
			}
			if random.IntN(3) == 0 {
				s = 1 + random.IntN(s)
			} else {
				at++
			}
			some[s%2] = append(some[s%2], s)
		}
		r.handled(created, "stored", some[0]...)
		r.handled(created, "dead letter", some[1]...)
		last := uint64(10 + at)
		var want [4]uint64
		r.check(r.conn.QueryRow(t.Context(), `SELECT countIf(outcome = 'stored'), countIf(outcome = 'dead letter'), toUInt64(? - count()), toUInt64(9 - countIf(sequence < 10))
			FROM prevention.handled FINAL WHERE stream = ? AND sequence <= ?`, last, created, last).Scan(&want[0], &want[1], &want[2], &want[3]))
		for _, l := range []*ledger{&h.ledger, {}} {
			f, err := l.read(t.Context(), r.conn, created, 10, last)
			r.check(err)
			got := [4]uint64{f.here.stored, f.here.letters, f.missing, f.gone}
			if got != want {
				t.Fatalf("up to %d: %v, want %v", last, got, want)
			}
		}
	}
	if h.ledger.complete == 0 {
		t.Error("nothing was ever complete: everything is read again each time")
	}
}

func TestHowFarTheNumbersAreBehind(t *testing.T) {
	r := newRig(t)
	created := r.streams()
	var upTo time.Time
	h := r.heart(func(c *Config) { c.UpTo = func() time.Time { return upTo } })
	behind := func() uint32 {
		t.Helper()
		r.beat(h)
		var seconds uint32
		r.check(r.conn.QueryRow(t.Context(), "SELECT behind_seconds FROM reporting.feed_now").Scan(&seconds))
		return seconds
	}
	publish := func(programme string, sequence uint64, at time.Time) {
		id := new(big.Int).SetUint64(3<<44 | created/1e6)
		r.exec("INSERT INTO prevention.published (programme, season, place, id, published_at) VALUES (?, '', '', ?, ?)", programme, id.Or(id.Lsh(id, 64), new(big.Int).SetUint64(sequence)), at)
	}
	handle := func(sequence int, at time.Time) {
		r.exec("INSERT INTO prevention.handled (stream, sequence, outcome, handled_at) VALUES (?, ?, 'stored', ?)", created, sequence, at)
	}
	expect := func(what string, want time.Duration) {
		t.Helper()
		if got := behind(); got != uint32(want.Seconds()) {
			t.Errorf("%s: %d seconds behind, want %v", what, got, want)
		}
	}
	expect("nothing has come", 0)
	start := r.now
	handle(1, start.Add(-20*time.Second))
	handle(2, start.Add(-10*time.Second))
	expect("nothing is published", 35*time.Second)
	publish("flu", 2, start.Add(-time.Hour))
	expect("one programme is not published", 50*time.Second)
	publish("mmr", 1, start.Add(-time.Hour))
	expect("one programme is published to the first", 55*time.Second)
	publish("mmr", 2, start.Add(-time.Hour))
	publish("unread", 1, start.Add(-time.Hour)) // of a programme file that is no more
	expect("all is published", 0)
	upTo = start.Add(65 * time.Second)
	publish("flu", 2, start.Add(70*time.Second))
	expect("measures do not hold it yet", 10*time.Second)
	upTo = start.Add(71 * time.Second)
	expect("measures hold it", 0)
	handle(3, start.Add(85*time.Second))
	expect("one more", 20*time.Second)
}

func TestHeartbeatsStopWhileNATSIsAway(t *testing.T) {
	r := newRig(t)
	r.streams()
	h := r.heart(nil)
	r.publish(1)
	r.beat(h)
	r.nats.Stop()
	r.now = r.now.Add(Every)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := h.Beat(ctx); err == nil || store.Judge(err) == store.Stop {
		t.Errorf("without NATS: %v", err)
	}
	r.nats.Start()
	for h.Beat(t.Context()) != nil { // until it has connected again
	}
	r.want("NATS is back", r.row(), "0 0 0 1 0")
	var rows uint64
	r.check(r.conn.QueryRow(t.Context(), "SELECT count() FROM reporting.feed").Scan(&rows))
	if rows != 2 {
		t.Errorf("%d heartbeats, want 2", rows)
	}
}

// TestTwoHeartsMakeOneRow runs two on the clock of the machine: of each 15 seconds one row stays, and they end when told to.
func TestTwoHeartsMakeOneRow(t *testing.T) {
	r := newRig(t)
	r.streams()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	for range 2 {
		h := r.heart(func(c *Config) { c.Now = nil })
		go func() { done <- h.Run(ctx) }()
	}
	var rows, slots, shown uint64
	for rows < 2 {
		r.check(r.conn.QueryRow(t.Context(), "SELECT count(), uniqExact(at), (SELECT count() FROM reporting.feed) FROM prevention.heartbeats").Scan(&rows, &slots, &shown))
	}
	cancel()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	r.check(r.conn.QueryRow(t.Context(), "SELECT uniqExact(at), countIf(toUnixTimestamp(at) % 15 != 0), (SELECT count() FROM reporting.feed) FROM prevention.heartbeats").Scan(&slots, &rows, &shown))
	if shown != slots || rows != 0 {
		t.Errorf("%d rows shown of %d times 15 seconds, %d of another start", shown, slots, rows)
	}
}

func TestWhatIsMissingStopsAtTheStart(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("made without anything")
	}
	r := newRig(t)
	r.exec("DROP TABLE prevention.heartbeats")
	if err := r.heart(nil).Run(t.Context()); err == nil || store.Judge(err) != store.Stop {
		t.Errorf("without its table: %v", fmt.Sprint(err))
	}
}
