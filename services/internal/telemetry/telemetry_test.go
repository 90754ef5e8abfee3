package telemetry_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/telemetry"
)

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestServe(t *testing.T) {
	tel := telemetry.New()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "gapwatch_test_total"})
	tel.Registry.MustRegister(counter)
	counter.Inc()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tel.ServeListener(ctx, listener) }()

	if code, body := get(t, base+"/metrics"); code != 200 || !strings.Contains(body, "gapwatch_test_total 1") || !strings.Contains(body, "go_goroutines") {
		t.Errorf("metrics: %d %.200s", code, body)
	}
	if code, _ := get(t, base+"/healthz"); code != 200 {
		t.Errorf("healthz: %d", code)
	}
	if code, body := get(t, base+"/readyz"); code != 200 || body != "" {
		t.Errorf("nothing to check: %d %q", code, body)
	}
	tel.Ready("b", func(context.Context) error { return nil })
	remove := tel.Ready("a", func(context.Context) error { return errors.New("ClickHouse: no answer\nat all") })
	if code, body := get(t, base+"/readyz"); code != 503 || body != "a: ClickHouse: no answer; at all\nb: ok\n" {
		t.Errorf("one is not ready: %d %q", code, body)
	}
	remove()
	if code, body := get(t, base+"/readyz"); code != 200 || body != "b: ok\n" {
		t.Errorf("all are ready: %d %q", code, body)
	}
	tel.Ready("slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if code, body := get(t, base+"/readyz"); code != 503 || !strings.Contains(body, "slow: context deadline exceeded") {
		t.Errorf("one does not answer: %d %q", code, body)
	}

	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("did not stop")
	}
	if err := tel.Serve(context.Background(), "127.0.0.1:99999"); err == nil {
		t.Error("an impossible address was listened on")
	}
}
