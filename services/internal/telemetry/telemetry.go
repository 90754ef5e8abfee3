// Package telemetry serves what an operator asks a service: its metrics (/metrics, Prometheus), whether the process
// lives (/healthz) and whether it can do its work (/readyz, with the reason when it cannot).
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Telemetry is the metrics and readiness of one process. Components register with it; Serve shows them.
type Telemetry struct {
	// Registry is where components register their metrics. No label may hold anything about a person or a record.
	Registry *prometheus.Registry

	mu     sync.Mutex
	checks map[string]Check
}

// Check says why a component cannot do its work, or nil. It must answer within its context's time. Its error is shown
// to whoever asks, so it names no secret and no person.
type Check func(ctx context.Context) error

// New is telemetry with the metrics of the Go runtime and the process.
func New() *Telemetry {
	t := &Telemetry{Registry: prometheus.NewRegistry(), checks: make(map[string]Check)}
	t.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return t
}

// Ready adds a readiness check under a name such as "collector". The function that it returns takes it away again,
// which a component that has ended does.
func (t *Telemetry) Ready(name string, check Check) (remove func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.checks[name] = check
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.checks, name)
	}
}

// How long all readiness checks together may take; an orchestrator asks again anyway.
const checkTimeout = 2 * time.Second

// Handler answers /metrics, /healthz and /readyz.
func (t *Telemetry) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.Registry, promhttp.HandlerOpts{Registry: t.Registry}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ready, text := t.ready(r.Context())
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if !ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = fmt.Fprint(w, text)
	})
	return mux
}

// ready runs all checks side by side and writes one line for each: its name and "ok" or the reason.
func (t *Telemetry) ready(ctx context.Context) (bool, string) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	t.mu.Lock()
	checks := make(map[string]Check, len(t.checks))
	for name, check := range t.checks {
		checks[name] = check
	}
	t.mu.Unlock()
	type answer struct {
		name string
		err  error
	}
	answers := make(chan answer, len(checks))
	for name, check := range checks {
		go func() { answers <- answer{name, check(ctx)} }()
	}
	ready, lines := true, make([]string, 0, len(checks))
	for range checks {
		a := <-answers
		if a.err == nil {
			lines = append(lines, a.name+": ok\n")
			continue
		}
		ready = false
		lines = append(lines, a.name+": "+strings.ReplaceAll(a.err.Error(), "\n", "; ")+"\n")
	}
	sort.Strings(lines)
	return ready, strings.Join(lines, "")
}

// Serve listens on address (host:port) and answers until ctx ends, then lets requests finish for up to five seconds.
// An error means that the address cannot be listened on, or that serving broke off: stop.
func (t *Telemetry) Serve(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return t.ServeListener(ctx, listener)
}

// ServeListener is Serve on a listener that is there already. It closes it.
func (t *Telemetry) ServeListener(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: t.Handler(), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("metrics: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		return fmt.Errorf("metrics: stop: %w", err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
