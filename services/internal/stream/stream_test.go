package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func config(t *testing.T, js jetstream.JetStream, name string) jetstream.StreamConfig {
	t.Helper()
	s, err := js.Stream(within(t, 2*time.Minute), name)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

func TestEnsureCreatesWhatTheContractSays(t *testing.T) {
	_, js := streamtest.New(t).Ensure(stream.Options{})
	events := config(t, js, stream.Events)
	if events.Retention != jetstream.LimitsPolicy || events.Discard != jetstream.DiscardNew || events.Storage != jetstream.FileStorage ||
		events.MaxAge != 30*24*time.Hour || events.MaxBytes != 10<<30 || events.MaxMsgs != -1 || events.Duplicates != 2*time.Minute {
		t.Errorf("events stream: %+v", events)
	}
	dead := config(t, js, stream.DeadLetters)
	if dead.Discard != jetstream.DiscardNew || dead.MaxBytes != 1<<30 || dead.MaxAge != 0 {
		t.Errorf("dead-letter stream: %+v", dead)
	}
	gap := config(t, js, stream.Gap)
	if gap.Retention != jetstream.LimitsPolicy || gap.Discard != jetstream.DiscardNew || gap.Storage != jetstream.FileStorage ||
		gap.MaxAge != 400*24*time.Hour || gap.MaxBytes != 256<<20 || gap.MaxMsgs != -1 || gap.Duplicates != 24*time.Hour ||
		len(gap.Subjects) != 1 || gap.Subjects[0] != "prevention.gap.>" {
		t.Errorf("gap stream: %+v", gap)
	}
	rejections := config(t, js, stream.Rejections)
	if rejections.Retention != jetstream.LimitsPolicy || rejections.Discard != jetstream.DiscardOld || rejections.Storage != jetstream.FileStorage ||
		rejections.MaxAge != 30*24*time.Hour || rejections.MaxBytes != 256<<20 || rejections.MaxMsgsPerSubject != 100_000 || !rejections.AllowDirect {
		t.Errorf("stream of rejections: %+v", rejections)
	}
}

func TestEnsureKeepsTheLimitOfRejections(t *testing.T) {
	_, js := streamtest.New(t).Ensure(stream.Options{})
	ctx := within(t, 2*time.Minute)
	want := config(t, js, stream.Rejections)
	changed := want
	changed.MaxMsgsPerSubject, changed.Discard = 7, jetstream.DiscardNew
	if _, err := js.UpdateStream(ctx, changed); err != nil {
		t.Fatal(err)
	}
	if err := stream.Ensure(ctx, js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, config(t, js, stream.Rejections)); diff != "" {
		t.Error(diff)
	}
	changed.MaxMsgsPerSubject, changed.Discard = 200_000, jetstream.DiscardOld
	if _, err := js.UpdateStream(ctx, changed); err != nil {
		t.Fatal(err)
	}
	if err := stream.Ensure(ctx, js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := config(t, js, stream.Rejections).MaxMsgsPerSubject; got != 200_000 {
		t.Errorf("an operator's limit became %d", got)
	}
}

func TestEnsureKeepsWhatAnOperatorRaisedAndRepairsTheRest(t *testing.T) {
	_, js := streamtest.New(t).Ensure(stream.Options{MaxBytes: 1 << 20})
	ctx := within(t, 2*time.Minute)
	changed := config(t, js, stream.Events)
	changed.MaxBytes, changed.MaxAge, changed.Duplicates = 1<<30, 60*24*time.Hour, time.Hour
	changed.Description = "ours"
	changed.Discard = jetstream.DiscardOld
	changed.MaxMsgs = 5
	if _, err := js.UpdateStream(ctx, changed); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := stream.Ensure(ctx, js, stream.Options{MaxBytes: 1 << 20}); err != nil {
			t.Fatal(err)
		}
	}
	want := changed
	want.Discard = jetstream.DiscardNew
	want.MaxMsgs = -1
	if diff := cmp.Diff(want, config(t, js, stream.Events)); diff != "" {
		t.Error(diff)
	}
	if err := stream.Ensure(ctx, js, stream.Options{MaxBytes: 2 << 30}); err != nil {
		t.Fatal(err)
	}
	if got := config(t, js, stream.Events).MaxBytes; got != 2<<30 {
		t.Errorf("a raised setting was not taken: %d", got)
	}
}

func TestEnsureRefusesWhatCannotBeMadeRight(t *testing.T) {
	ctx := within(t, 5*time.Minute)
	var js jetstream.JetStream
	for _, wrong := range []jetstream.StreamConfig{
		{Retention: jetstream.WorkQueuePolicy},
		{Storage: jetstream.MemoryStorage},
		{DenyDelete: true},
		{FirstSeq: 1001},
	} {
		_, js = streamtest.New(t).Connect() // its own server: one of the same name can be refused while the last is being deleted
		wrong.Name, wrong.Subjects = stream.Events, []string{stream.EventSubjects}
		if _, err := js.CreateStream(ctx, wrong); err != nil {
			t.Fatal(err)
		}
		if err := stream.Ensure(ctx, js, stream.Options{}); !errors.Is(err, stream.ErrStream) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	for _, o := range []stream.Options{{MaxAge: -1}, {MaxBytes: -2}, {DeadLetterBytes: -2}, {GapBytes: -2}, {Replicas: 6}, {Duplicates: -1}} {
		if err := stream.Ensure(ctx, js, o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestEnsureByTwoAtOnce(t *testing.T) {
	server := streamtest.New(t)
	errs := make(chan error)
	for range 4 {
		_, js := server.Connect()
		go func() {
			errs <- stream.Ensure(within(t, 2*time.Minute), js, stream.Options{MaxBytes: 4 << 20})
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	_, js := server.Connect()
	if got := config(t, js, stream.Events).MaxBytes; got != 4<<20 {
		t.Errorf("MaxBytes %d", got)
	}
}

// A server counts what a stream may take as soon as it is asked to make it. Of several that ask at once, on a disk that has room
// for one, none may give up.
func TestEnsureByManyAtOnceWhereThereIsRoomForOne(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(),
		JetStreamMaxStore: 3 << 30, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(2 * time.Minute) {
		t.Fatal("NATS does not start")
	}
	errs := make(chan error)
	for range 8 {
		nc, js, err := stream.Connect(stream.ConnectOptions{URL: s.ClientURL(), Name: t.Name()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		go func() {
			errs <- stream.Ensure(within(t, 2*time.Minute), js, stream.Options{MaxBytes: 2 << 30, DeadLetterBytes: 1 << 20, GapBytes: 1 << 20})
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestPublisherConfirmsEveryMessageAcrossARestart(t *testing.T) {
	server := streamtest.New(t)
	nc, js := server.Ensure(stream.Options{Duplicates: time.Hour}) // the first ids are still known at the end, on any machine
	p, err := stream.NewPublisher(nc, stream.PublisherOptions{Pending: 500, AckTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx := within(t, 5*time.Minute)
	const n = 20000
	for i := range n {
		if i == n/3 || i == n/2 {
			server.Stop()
			server.Start()
		}
		if err := p.Publish(ctx, stream.Message("prevention.events.x.y", fmt.Sprint(i), []byte("{}"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	total, duplicates := p.Confirmed()
	s, err := js.Stream(ctx, stream.Events)
	if err != nil {
		t.Fatal(err)
	}
	if total != n || s.CachedInfo().State.Msgs != n {
		t.Errorf("%d confirmed (%d duplicates), %d in the stream, want %d", total, duplicates, s.CachedInfo().State.Msgs, n)
	}
	if err := p.Publish(ctx, stream.Message("prevention.events.x.y", "7", []byte("{}"))); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if _, after := p.Confirmed(); after != duplicates+1 {
		t.Errorf("a repeated id was counted as new")
	}
}

func TestFullStreamIsAClearErrorAndLosesNothing(t *testing.T) {
	nc, js := streamtest.New(t).Ensure(stream.Options{MaxBytes: 64 << 10})
	ctx := within(t, 5*time.Minute)
	p, err := stream.NewPublisher(nc, stream.PublisherOptions{Pending: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var fault error
	for i := 0; fault == nil && i < 1000; i++ {
		fault = p.Publish(ctx, stream.Message("prevention.events.x.y", fmt.Sprint(i), bytes.Repeat([]byte("x"), 1000)))
	}
	if !errors.Is(fault, stream.ErrFull) {
		t.Fatalf("publishing into a full stream: %v", fault)
	}
	if err := p.Flush(ctx); !errors.Is(err, stream.ErrFull) {
		t.Errorf("flush: %v", err)
	}
	s, err := js.Stream(ctx, stream.Events)
	if err != nil {
		t.Fatal(err)
	}
	total, _ := p.Confirmed()
	info := s.CachedInfo()
	if info.State.FirstSeq != 1 || info.State.Msgs != total {
		t.Errorf("%d confirmed, stream has %d from %d on", total, info.State.Msgs, info.State.FirstSeq)
	}
	if f := stream.Fullness(info); f < 0.9 || f > 1 {
		t.Errorf("fullness %v", f)
	}
	if _, err := stream.Publish(ctx, js, stream.Message("prevention.events.x.y", "one", make([]byte, 2000))); !errors.Is(err, stream.ErrFull) {
		t.Errorf("one message: %v", err)
	}
}

func TestPublisherGivesUpOnWhatTheServerNeverTakes(t *testing.T) {
	nc, _ := streamtest.New(t).Ensure(stream.Options{})
	p, err := stream.NewPublisher(nc, stream.PublisherOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx := within(t, 2*time.Minute)
	if err := p.Publish(ctx, stream.Message("prevention.events.x.y", "big", make([]byte, stream.MaxPayload+1))); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(ctx); !errors.Is(err, nats.ErrMaxPayload) {
		t.Error(err)
	}
}

func TestEmbedSaysWhyItCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, err = stream.Embed(within(t, 2*time.Minute), stream.EmbedOptions{Dir: t.TempDir(), Port: taken.Addr().(*net.TCPAddr).Port})
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("in use")) {
		t.Errorf("a taken port: %v", err)
	}
	if _, err := stream.Embed(within(t, 2*time.Minute), stream.EmbedOptions{}); err == nil {
		t.Error("no folder was taken")
	}
}

func TestConnectWaitsForAServerThatIsNotThereYet(t *testing.T) {
	server := streamtest.New(t)
	server.Stop()
	_, js := server.Connect()
	server.Start()
	ctx := within(t, 2*time.Minute)
	for {
		if _, err := js.AccountInfo(ctx); err == nil {
			return
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

func TestUndelivered(t *testing.T) {
	for _, c := range []struct{ first, last, delivered, pending, want uint64 }{
		{first: 0, last: 0},
		{first: 1, last: 5, delivered: 0, pending: 5, want: 5},
		{first: 1, last: 5, delivered: 3, pending: 0, want: 2}, // the consumer was not told of them yet
		{first: 1, last: 5, delivered: 3, pending: 2, want: 2},
		{first: 4, last: 5, delivered: 1, pending: 0, want: 2}, // some expired unread
		{first: 1, last: 5, delivered: 6, pending: 1, want: 1}, // and one that came since the stream was looked at
	} {
		info := &jetstream.StreamInfo{State: jetstream.StreamState{FirstSeq: c.first, LastSeq: c.last}}
		reading := &jetstream.ConsumerInfo{Delivered: jetstream.SequenceInfo{Stream: c.delivered}, NumPending: c.pending}
		if got := stream.Undelivered(info, reading); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
