package provision

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Time between two passes when the last one failed, unless Config.Every is shorter: the cause is mended in Grafana, or it
// comes back, and nobody should have to restart us for that.
const afterFailure = time.Minute

// Keep makes a pass every Config.Every until ctx ends. A pass that fails is logged, shown by Ready and made again in a
// minute; it never ends Keep.
func (p *Provisioner) Keep(ctx context.Context) error {
	for {
		plan, err := p.Reconcile(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to end, whatever the pass in hand came to
		}
		next := p.Every
		if err != nil {
			next = min(next, afterFailure)
			p.Log.Error("Grafana is not as wanted", "again in", next, "error", err)
		}
		p.report(plan, err)
		select {
		case <-ctx.Done():
			return nil
		case <-p.After(next):
		}
	}
}

func (p *Provisioner) report(plan *Plan, err error) {
	var unhealthy *UnhealthyError
	if plan != nil && (err == nil || errors.As(err, &unhealthy)) { // what was put back is said also while ClickHouse is away
		for _, i := range plan.Items {
			if i.Action == PutBack {
				p.Log.Warn("put back", "what", i.Kind, "name", i.Name, "uid", i.UID, "why", i.Why)
			} else if i.changes() {
				p.Log.Info(string(i.Action), "what", i.Kind, "name", i.Name, "uid", i.UID, "why", i.Why)
			}
			if i.changes() {
				p.metrics.changes.WithLabelValues(string(i.Action), i.Kind).Inc()
			}
		}
		if err == nil && (plan.Changes() > 0 || !p.state.seen()) {
			p.Log.Info("Grafana is as wanted", "grafana", plan.Grafana, "changed", plan.Changes())
			for _, n := range plan.Notes {
				p.Log.Info("note", "note", n)
			}
		}
	}
	result := "wanted"
	if err != nil {
		result = "failed"
	} else {
		p.metrics.last.SetToCurrentTime()
	}
	p.metrics.passes.WithLabelValues(result).Inc()
	p.state.set(err)
}

// Ready says why Grafana is not as wanted, as far as the last pass knows; nil when it is.
func (p *Provisioner) Ready(context.Context) error { return p.state.get() }

type state struct {
	mu   sync.Mutex
	err  error
	once bool // Grafana was as wanted once
}

func (s *state) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.once = err, s.once || err == nil
}

func (s *state) get() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *state) seen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.once
}

type metrics struct {
	passes, changes *prometheus.CounterVec
	last            prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		passes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gapwatch_provisioner_passes_total",
			Help: "Passes over Grafana, by result: wanted or failed."}, []string{"result"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gapwatch_provisioner_changes_total",
			Help: "What was changed in Grafana, by action and kind. The action put back means that somebody edited it."}, []string{"action", "kind"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{Name: "gapwatch_provisioner_wanted_timestamp_seconds",
			Help: "When Grafana was last seen to be as wanted."}),
	}
	r.MustRegister(m.passes, m.changes, m.last)
	return m
}
