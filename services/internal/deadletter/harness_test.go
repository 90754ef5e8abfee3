package deadletter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/schemas"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/deadletter"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

const request = "019aab3c5d10a1b2c3d4e5f6"

// desk is a NATS server and a ClickHouse of its own, and what an operator has.
type desk struct {
	t      *testing.T
	nats   *streamtest.Server
	sizes  stream.Options
	js     jetstream.JetStream
	url    string // of ClickHouse
	conn   driver.Conn
	now    *programme.Set // all programmes
	before *programme.Set // without flu-65
}

func newDesk(t *testing.T, o stream.Options) *desk {
	t.Helper()
	d := &desk{t: t, sizes: o, nats: streamtest.New(t), url: enginetest.New(t).URL()}
	_, d.js = d.nats.Ensure(o)
	if err := store.Migrate(t.Context(), d.url); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(d.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	d.conn = conn
	text, err := schemas.Files.ReadFile("programmes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if d.now, err = programme.Parse("now", text); err != nil {
		t.Fatal(err)
	}
	if d.before, err = programme.Parse("before", []byte(strings.Replace(string(text), "id: flu-65", "id: flu-else", 1))); err != nil {
		t.Fatal(err)
	}
	return d
}

var anHourAgo = time.Now().Add(-time.Hour).Truncate(time.Second)

// sample is the i-th event: valid with all programmes, and of another person than all others.
func sample(i int) event.Event {
	return event.Event{
		ID: fmt.Sprintf("emission-%d", i), Source: "urn:test:gp", Type: event.TypeVaccination,
		Time: anHourAgo, Record: fmt.Sprintf("%032x", i), Status: event.Completed,
		Person: event.Pseudonym{1, byte(i >> 8), byte(i)}, PersonKey: "2026-1",
		Programme: "flu-65", Day: calendar.Date(2026, 11, 1+i%20), LSOA: "E01000001", Ethnicity: "A", Practice: "A81001",
	}
}

// send publishes an event as intake does and returns its sequence. Without a sender it is a direct publish.
func (d *desk) send(e event.Event, sender string) uint64 {
	d.t.Helper()
	msg := stream.Message(event.Subject(&e), event.MsgID(&e), event.Encode(&e))
	if sender != "" {
		msg.Header[stream.HeaderSender], msg.Header[stream.HeaderRequest] = []string{sender}, []string{request}
	}
	ack, err := d.js.PublishMsg(d.t.Context(), msg)
	if err != nil {
		d.t.Fatal(err)
	}
	return ack.Sequence
}

// collect has a collector with some programmes handle all that is in the stream.
func (d *desk) collect(programmes *programme.Set) {
	d.t.Helper()
	_, js := d.nats.Connect()
	c, err := collect.New(collect.Config{JetStream: js, ClickHouse: d.conn, Programmes: programmes, Streams: d.sizes, MaxAge: 20 * time.Millisecond, AccountEvery: 20 * time.Millisecond})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(d.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	d.eventually(func() string {
		if n, all := d.count("SELECT uniqExact(sequence) FROM prevention.handled"), d.state(stream.Events).LastSeq; n != all {
			return fmt.Sprintf("%d of %d messages are handled", n, all)
		}
		consumer, err := d.js.Consumer(d.t.Context(), stream.Events, stream.Collector)
		if err != nil {
			return err.Error()
		}
		if info := consumer.CachedInfo(); info.NumPending > 0 || info.NumAckPending > 0 {
			return "not all are acknowledged"
		}
		return ""
	})
	stop()
	if err := <-ended; err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) eventually(condition func() (wrong string)) {
	d.t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for {
		wrong := condition()
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatal(wrong)
		}
		<-ticks.C
	}
}

func (d *desk) state(name string) jetstream.StreamState {
	d.t.Helper()
	st, err := d.js.Stream(d.t.Context(), name)
	if err != nil {
		d.t.Fatal(err)
	}
	return st.CachedInfo().State
}

func (d *desk) count(query string, args ...any) uint64 {
	d.t.Helper()
	var n uint64
	if err := d.conn.QueryRow(d.t.Context(), query, args...).Scan(&n); err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (d *desk) check(what string, got, want uint64) {
	d.t.Helper()
	if got != want {
		d.t.Errorf("%s: %d, want %d", what, got, want)
	}
}

func (d *desk) open() *deadletter.Box {
	d.t.Helper()
	b, err := deadletter.Open(d.t.Context(), d.js)
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

func (d *desk) log() deadletter.Log {
	return deadletter.Log{ClickHouse: d.conn, Operator: "sam@ops", Note: "flu-65 is back"}
}

// replay replays all letters with some programmes.
func (d *desk) replay(programmes *programme.Set, cutOff deadletter.Step) (deadletter.Replayed, error) {
	d.t.Helper()
	r := deadletter.Replay{Decoder: &event.Decoder{Programmes: programmes}, Log: d.log()}
	if cutOff != "" {
		r.Checkpoint = func(step deadletter.Step) error {
			if step == cutOff {
				return errPower
			}
			return nil
		}
	}
	return r.Run(d.t.Context(), d.open(), deadletter.Filter{})
}

var errPower = errors.New("the power went")

// letter puts a letter into the stream as it is and returns its sequence there.
func (d *desk) letter(subject string, l any) uint64 {
	d.t.Helper()
	data, err := json.Marshal(l)
	if err != nil {
		d.t.Fatal(err)
	}
	ack, err := d.js.PublishMsg(d.t.Context(), &nats.Msg{Subject: subject, Data: data})
	if err != nil {
		d.t.Fatal(err)
	}
	return ack.Sequence
}

// run is the command as an operator runs it.
func (d *desk) run(args ...string) (string, error) {
	d.t.Helper()
	var s deadletter.Settings
	s.NATSURL, s.ClickHouseURL = d.nats.URL(), d.url
	var out strings.Builder
	err := deadletter.Command(d.t.Context(), s, args, &out)
	return out.String(), err
}
