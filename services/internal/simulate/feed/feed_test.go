package feed_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/simulate/feed"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

func history(t *testing.T) *simulate.History {
	t.Helper()
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	h, err := simulate.New(simulate.Config{Seed: 1, People: 2000, Now: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC), Programmes: set})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func messagesIn(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	s, err := js.Stream(t.Context(), stream.Events)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func TestPublishConfirmsEveryMessage(t *testing.T) {
	nc, js := streamtest.New(t).Ensure(stream.Options{})
	h := history(t)
	want := h.Expected()
	var last uint64
	report, err := feed.Publish(t.Context(), nc, h.Messages(), feed.Options{Progress: func(n uint64) { last = n }})
	if err != nil {
		t.Fatal(err)
	}
	if report.Confirmed != uint64(want.Messages) || report.Duplicates != uint64(want.Repeats) || last != report.Confirmed {
		t.Errorf("%+v, last progress %d; expected %+v", report, last, want)
	}
	if n := messagesIn(t, js); n != uint64(want.Messages-want.Repeats) {
		t.Errorf("%d messages in the stream, expected %d", n, want.Messages-want.Repeats)
	}
	if again, err := feed.Publish(t.Context(), nc, h.Messages(), feed.Options{}); err != nil || again.Duplicates != again.Confirmed {
		t.Errorf("again: %+v, %v", again, err)
	}
}

func TestPublishKeepsToItsRate(t *testing.T) {
	nc, _ := streamtest.New(t).Ensure(stream.Options{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	sent, begun := 0, time.Now()
	messages := func(yield func(simulate.Message) bool) {
		for m := range history(t).Live(time.Now) {
			if sent++; sent > 40 {
				stop()
			}
			if !yield(m) {
				return
			}
		}
	}
	_, err := feed.Publish(ctx, nc, messages, feed.Options{PerSecond: 200})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if took := time.Since(begun); took < 190*time.Millisecond {
		t.Errorf("40 messages at 200 a second took %s", took)
	}
}

func TestPublishSaysThatTheStreamIsFull(t *testing.T) {
	nc, _ := streamtest.New(t).Ensure(stream.Options{MaxBytes: 64 << 10})
	report, err := feed.Publish(t.Context(), nc, history(t).Messages(), feed.Options{})
	if !errors.Is(err, stream.ErrFull) || report.Confirmed == 0 {
		t.Errorf("%+v, %v", report, err)
	}
}
