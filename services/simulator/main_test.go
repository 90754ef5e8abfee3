package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

// The environment as it would be set, down to the stream: history is in, live events follow until it is stopped.
func TestRun(t *testing.T) {
	server := streamtest.New(t)
	_, js := server.Ensure(stream.Options{})
	dir := t.TempDir()
	for name, value := range map[string]string{
		"NATS_URL": server.URL(), "SIMULATOR_PEOPLE": "1000", "SIMULATOR_SEED": "7", "SIMULATOR_REFERENCE": filepath.Join(dir, "reference"),
		"SIMULATOR_TRUTH": filepath.Join(dir, "truth.csv"), "SIMULATOR_LIVE": "1000",
	} {
		t.Setenv("GAPWATCH_"+name, value)
	}
	var env environment
	if err := settings.Load(&env); err != nil {
		t.Fatal(err)
	}
	// The same history: what it says about now is a matter of minutes, but not of its size.
	history, err := simulate.Settings{Seed: 7, People: 1000}.Make("", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error)
	go func() { ended <- run(ctx, env, nil) }()
	expected := history.Expected()
	consumer, err := js.OrderedConsumer(ctx, stream.Events, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	for i := range expected.Messages + 20 { // history and the first live ones
		if _, err := messages.Next(jetstream.NextMaxWait(time.Minute)); err != nil {
			t.Fatalf("after %d messages: %v", i, err)
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	truth, err := os.ReadFile(filepath.Join(dir, "truth.csv"))
	if err != nil || bytes.Count(truth, []byte("\n")) < 1000 {
		t.Errorf("truth: %d bytes, %v", len(truth), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "reference", "eligible.csv")); err != nil {
		t.Error(err)
	}
}

// With reference it writes the files and publishes nothing; a later start tells the history of the same moment.
func TestRunReference(t *testing.T) {
	_, js := streamtest.New(t).Ensure(stream.Options{})
	dir := t.TempDir()
	env := environment{Settings: simulate.Settings{Seed: 7, People: 1000, Reference: filepath.Join(dir, "reference"), MarkFile: filepath.Join(dir, "mark.json")}}
	env.NATSURL = js.Conn().ConnectedUrl()
	if err := run(t.Context(), env, []string{"reference"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "reference", "eligible.csv")); err != nil {
		t.Error(err)
	}
	published := func() uint64 {
		events, err := js.Stream(t.Context(), stream.Events)
		if err != nil {
			t.Fatal(err)
		}
		return events.CachedInfo().State.LastSeq
	}
	if n := published(); n > 0 {
		t.Errorf("%d messages are published", n)
	}
	for range 2 { // the second time there is nothing to publish any more
		if err := run(t.Context(), env, nil); err != nil {
			t.Fatal(err)
		}
		mark, err := env.ReadMark(time.Now().AddDate(0, 0, 1))
		if err != nil || !mark.Published {
			t.Fatalf("%+v, %v", mark, err)
		}
		history, err := env.Make("", mark.Now)
		if err != nil {
			t.Fatal(err)
		}
		if n, want := published(), history.Expected().Messages-history.Expected().Repeats; n != uint64(want) {
			t.Errorf("%d messages in the stream, want %d", n, want)
		}
	}
	if err := run(t.Context(), env, []string{"nonsense"}); err == nil {
		t.Error("nonsense was taken")
	}
}

func TestRunReplays(t *testing.T) {
	dir := t.TempDir()
	series := filepath.Join(dir, "series.csv")
	text := "programme,season,geography,day,quintile,covered,eligible\nflu-x,2021,E1,2021-10-01,2,40,100\nflu-y,2021,E1,2021-10-01,2,70,100\n"
	if err := os.WriteFile(series, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := simulate.Settings{Series: series, Programme: "flu-y", Reference: dir}
	h, err := s.Make("", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if h.Expected().Stored < 70 || h.Programmes().Programmes[0].ID != "flu-y" {
		t.Errorf("%+v", h.Expected())
	}
	yaml, err := os.ReadFile(filepath.Join(dir, "programmes.yaml"))
	if err != nil || !bytes.Equal(yaml, h.ProgrammesYAML()) {
		t.Errorf("programmes.yaml: %q, %v", yaml, err)
	}
	for want, s := range map[string]simulate.Settings{
		"flu-z":   {Series: series, Programme: "flu-z"},
		"no such": {Series: filepath.Join(dir, "none.csv")},
		"rate":    {People: 1, Rate: -1},
		"live":    {People: 1, LiveRate: -1},
		"people":  {People: -1},
	} {
		if _, err := s.Make("", time.Now()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := (simulate.Settings{People: 1}).Make(filepath.Join(dir, "none.yaml"), time.Now()); err == nil {
		t.Error("a programme file that is not there was taken")
	}
}
