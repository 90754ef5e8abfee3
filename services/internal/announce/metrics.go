package announce

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are an announcer's. Labels hold programmes and what was tried.
type metrics struct {
	published  *prometheus.CounterVec
	duplicates *prometheus.CounterVec
	retries    *prometheus.CounterVec
	pending    prometheus.Gauge
	full       prometheus.Gauge
	oldest     atomic.Int64 // when the oldest one pending was decided, ms since 1970; 0: none
}

func newMetrics(registry prometheus.Registerer, now func() time.Time) (*metrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "gapwatch_verdicts_" + name, Help: help})
	}
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gapwatch_verdicts_" + name, Help: help}, []string{label})
	}
	m := &metrics{
		published:  counter("published_total", "Changes of verdict that the stream took.", "programme"),
		duplicates: counter("duplicates_total", "Changes of verdict that the stream had already: sent again after a crash, or by another announcer.", "programme"),
		retries:    counter("retries_total", "Tries that failed, by what was tried. All are made again but those that stop the announcer.", "what"),
		pending:    gauge("pending", "Changes of verdict that are logged and not published."),
		full:       gauge("stream_full", "1 while the stream refuses verdicts because it is full. Nobody is told of new verdicts then: raise its MaxBytes."),
	}
	all := []prometheus.Collector{m.published, m.duplicates, m.retries, m.pending, m.full,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "gapwatch_verdicts_oldest_pending_seconds",
			Help: "How long ago the oldest verdict was decided that is not published, in seconds; 0 if all are."},
			func() float64 {
				oldest := m.oldest.Load()
				if oldest == 0 {
					return 0
				}
				return max(0, now().Sub(time.UnixMilli(oldest)).Seconds())
			})}
	if registry == nil {
		return m, nil
	}
	for _, c := range all {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// left says what is not published: how many, and those of them that are known.
func (m *metrics) left(total int, known []row) {
	m.pending.Set(float64(total))
	var oldest int64
	for i := range known {
		if at := known[i].decidedAt.UnixMilli(); oldest == 0 || at < oldest {
			oldest = at
		}
	}
	m.oldest.Store(oldest)
}
