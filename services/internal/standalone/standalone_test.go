package standalone_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/grafana/grafanatest"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/provision"
	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/simulate/feed"
	"gapwatch/services/internal/standalone"
	"gapwatch/services/internal/stream"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

func config(t *testing.T, folder string) standalone.Config {
	t.Helper()
	library, err := enginetest.Library()
	if err != nil {
		t.Fatal(err)
	}
	programmes, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	const anyPort = "127.0.0.1:0"
	return standalone.Config{Folder: folder, Programmes: programmes, Library: library,
		NATSListen: anyPort, ClickHouseListen: anyPort, MetricsListen: anyPort}
}

func history(t *testing.T, seed uint64) *simulate.History {
	t.Helper()
	h, err := simulate.New(simulate.Config{Seed: seed, People: 1000, Now: time.Now(), Programmes: config(t, "").Programmes, NoNoise: true})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// stored waits until so many different versions of records are stored.
func stored(ctx context.Context, t *testing.T, s *standalone.System, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for {
		var n uint64
		err := s.ClickHouse.QueryRow(ctx, "SELECT count() FROM prevention.events FINAL").Scan(&n)
		if err == nil && n == uint64(want) {
			return
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			t.Fatalf("%d events are stored, not %d; %v", n, want, err)
		}
	}
}

// publish publishes some messages of a history.
func publish(ctx context.Context, t *testing.T, s *standalone.System, h *simulate.History, from, to int) {
	t.Helper()
	n := 0
	messages := func(yield func(simulate.Message) bool) {
		for m := range h.Messages() {
			if n++; n > from && n <= to && !yield(m) {
				return
			}
		}
	}
	if _, err := feed.Publish(ctx, s.NATS, messages, feed.Options{}); err != nil {
		t.Fatal(err)
	}
}

// What was taken in is there at the second start, and it goes on; everything is clean after each end.
func TestSecondStartGoesOn(t *testing.T) {
	c := config(t, t.TempDir())
	h := history(t, 1)
	all := h.Expected().Stored
	ctx, stop := context.WithCancel(t.Context())
	var last uint64
	err := standalone.Run(ctx, c, func(ctx context.Context, s *standalone.System) error {
		publish(ctx, t, s, h, 0, all/2)
		stored(ctx, t, s, all/2)
		events, err := s.JetStream.Stream(ctx, stream.Events)
		if err != nil {
			return err
		}
		last = events.CachedInfo().State.LastSeq
		stop()
		<-ctx.Done()
		return nil
	})
	if err != nil {
		t.Fatalf("told to stop: %v", err)
	}
	err = standalone.Run(t.Context(), c, func(ctx context.Context, s *standalone.System) error {
		stored(ctx, t, s, all/2)
		events, err := s.JetStream.Stream(ctx, stream.Events)
		if err != nil {
			return err
		}
		if now := events.CachedInfo().State.LastSeq; now != last {
			t.Errorf("the stream ends at %d, not %d", now, last)
		}
		publish(ctx, t, s, h, all/2, all)
		stored(ctx, t, s, all)
		for path, want := range map[string]string{"/healthz": "ok", "/readyz": "collector: ok", "/metrics": "gapwatch_insert_seconds_count"} {
			shows(t, s.MetricsURL+path, want)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("work ended: %v", err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// shows waits until a page holds a text: on a busy machine a part may be found not ready for a while.
func shows(t *testing.T, url, want string) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for {
		body := get(t, url)
		if strings.Contains(body, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has no %q:\n%s", url, want, body)
		}
		<-ticks.C
	}
}

// A killed engine is started again, and nothing is lost.
func TestEngineIsKilledMeanwhile(t *testing.T) {
	h := history(t, 3)
	err := standalone.Run(t.Context(), config(t, t.TempDir()), func(ctx context.Context, s *standalone.System) error {
		n := 0
		messages := func(yield func(simulate.Message) bool) {
			for m := range h.Messages() {
				if n++; n%500 == 0 {
					if err := s.Engine.Ready(ctx); err != nil {
						t.Error(err)
					}
					s.Engine.Kill()
				}
				if !yield(m) {
					return
				}
			}
		}
		if _, err := feed.Publish(ctx, s.NATS, messages, feed.Options{}); err != nil {
			return err
		}
		stored(ctx, t, s, h.Expected().Stored)
		if s.Engine.Starts() < 3 {
			t.Errorf("the engine was started %d times", s.Engine.Starts())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWorkThatFailsEndsAll(t *testing.T) {
	broken := errors.New("it broke")
	err := standalone.Run(t.Context(), config(t, t.TempDir()), func(context.Context, *standalone.System) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// A part that cannot go on ends all, by its name: here the collector, whose stream does not keep what it must.
func TestPartThatFailsEndsAll(t *testing.T) {
	c := config(t, t.TempDir())
	c.Collector.Batch = -1
	if err := standalone.Run(t.Context(), c, nil); err == nil || !strings.HasPrefix(err.Error(), "collector: ") {
		t.Errorf("%v", err)
	}
}

func TestPortInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().String()
	for variable, set := range map[string]func(*standalone.Config, string){
		"GAPWATCH_NATS_LISTEN":       func(c *standalone.Config, a string) { c.NATSListen = a },
		"GAPWATCH_CLICKHOUSE_LISTEN": func(c *standalone.Config, a string) { c.ClickHouseListen = a },
		"GAPWATCH_METRICS_LISTEN":    func(c *standalone.Config, a string) { c.MetricsListen = a },
		"GAPWATCH_INTAKE_LISTEN":     func(c *standalone.Config, a string) { c.Intake.Listen = a },
	} {
		for address, rule := range map[string]string{
			taken:            "another program listens on " + taken,
			"0.0.0.0:0":      "loopback only",
			"192.0.2.1:4222": "loopback only",
			"4222":           "not host:port",
		} {
			c := config(t, filepath.Join(t.TempDir(), "data"))
			set(&c, address)
			err := standalone.Run(t.Context(), c, nil)
			if err == nil || !strings.HasPrefix(err.Error(), variable) || !strings.Contains(err.Error(), rule) {
				t.Errorf("%s=%s: %v", variable, address, err)
			}
		}
	}
}

func TestFolderInUse(t *testing.T) {
	folder := t.TempDir()
	err := standalone.Run(t.Context(), config(t, folder), func(ctx context.Context, _ *standalone.System) error {
		return standalone.Run(ctx, config(t, folder), nil)
	})
	if err == nil || !strings.Contains(err.Error(), "another Gapwatch is running on the folder") {
		t.Errorf("%v", err)
	}
}

// A Grafana that is set is brought to the wanted state, with the engine as its data source; a wrong setting shows before
// anything starts.
func TestGrafana(t *testing.T) {
	server := grafanatest.New(t)
	settings := provision.Settings{GrafanaURL: strings.Replace(server.URL, "http://", "http://admin:admin@", 1), GrafanaEvery: time.Hour}
	c := config(t, t.TempDir())
	c.Provisioner = settings.Wanted
	err := standalone.Run(t.Context(), c, func(ctx context.Context, s *standalone.System) error {
		address, err := url.Parse(s.ClickHouseURL)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
		defer cancel()
		ticks := time.NewTicker(20 * time.Millisecond)
		defer ticks.Stop()
		for {
			body := get(t, strings.Replace(server.URL, "http://", "http://admin:admin@", 1)+"/api/datasources/uid/gapwatch-clickhouse")
			if strings.Contains(body, `"port":`+address.Port()) {
				return nil
			}
			select {
			case <-ticks.C:
			case <-ctx.Done():
				return errors.New("there is no data source: " + body)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
	wrong := standalone.Settings{ProvisionerSettings: provision.Settings{GrafanaURL: "here"}}
	wrong.Log, wrong.LogLevel = "text", "info"
	if _, err := wrong.Config(io.Discard); err == nil || !strings.Contains(err.Error(), "GAPWATCH_GRAFANA") {
		t.Errorf("%v", err)
	}
}
