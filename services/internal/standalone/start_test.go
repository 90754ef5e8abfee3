package standalone

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

// connected is what the step of the start says that makes sure of the streams, with a NATS server. It needs no ClickHouse.
func connected(t *testing.T, nats *streamtest.Server, log slog.Handler) error {
	t.Helper()
	l := &lifecycle{}
	s := &System{NATSURL: nats.URL(), ClickHouseURL: "http://127.0.0.1:8123"}
	err := s.connect(t.Context(), l, &Config{Logger: slog.New(log)})
	if stopped := l.stop(); stopped != nil {
		t.Error(stopped)
	}
	return err
}

// onWarning is a log that starts something at the first warning.
type onWarning struct {
	slog.Handler
	do func()
}

func (h onWarning) Handle(ctx context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn && strings.Contains(r.Message, "streams") {
		h.do()
	}
	return h.Handler.Handle(ctx, r)
}

func TestASlowAnswerAtStartIsWaitedFor(t *testing.T) {
	nats := streamtest.New(t)
	nats.Stop()
	var logs bytes.Buffer
	var once sync.Once
	log := onWarning{slog.NewTextHandler(&logs, nil), func() { once.Do(nats.Start) }}
	if err := connected(t, nats, log); err != nil {
		t.Fatal(err)
	}
	_, js := nats.Connect()
	if _, err := js.Stream(t.Context(), stream.Events); err != nil {
		t.Errorf("%v; the log is\n%s", err, logs.String())
	}
}

// As in the collector, which says it.
func TestRejectionsThatCannotBeMadeRightEndNoStart(t *testing.T) {
	nats := streamtest.New(t)
	_, js := nats.Connect()
	other := jetstream.StreamConfig{Name: "OTHER", Subjects: []string{stream.RejectionSubjects}}
	if _, err := js.CreateStream(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if err := connected(t, nats, slog.DiscardHandler); err != nil {
		t.Error(err)
	}
}

func TestEventsThatCannotBeMadeRightEndTheStart(t *testing.T) {
	nats := streamtest.New(t)
	_, js := nats.Connect()
	inMemory := jetstream.StreamConfig{Name: stream.Events, Subjects: []string{stream.EventSubjects}, Storage: jetstream.MemoryStorage}
	if _, err := js.CreateStream(t.Context(), inMemory); err != nil {
		t.Fatal(err)
	}
	if err := connected(t, nats, slog.DiscardHandler); !errors.Is(err, stream.ErrStream) {
		t.Errorf("%v", err)
	}
}
