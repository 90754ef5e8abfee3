package intake

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what an operator sees of the door. Their labels are of closed lists: doors, statuses, outcomes, reasons, and the
// senders of the senders' file.
type metrics struct {
	requests  *prometheus.CounterVec
	items     *prometheus.CounterVec
	rejected  *prometheus.CounterVec
	uncounted *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	bytes     *prometheus.CounterVec
	inHand    prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gapwatch_intake_requests_total",
			Help: "Requests, by door and status of the answer."}, []string{"door", "status"}),
		items: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gapwatch_intake_items_total",
			Help: "Items of requests whose answer says what became of them: accepted, duplicate, no programme, skipped or rejected."}, []string{"sender", "door", "outcome"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gapwatch_intake_rejected_total",
			Help: "Rejected items by reason."}, []string{"door", "reason"}),
		uncounted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gapwatch_intake_no_programme_total",
			Help: "Items that count for no programme by reason: they rise when a new season or a code is missing here."}, []string{"door", "reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "gapwatch_intake_request_seconds",
			Help: "Time from the header of a request to the end of its answer.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 10)}, []string{"door"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gapwatch_intake_bytes_total",
			Help: "Bytes of bodies as they came over the network."}, []string{"door"}),
		inHand: prometheus.NewGauge(prometheus.GaugeOpts{Name: "gapwatch_intake_requests_in_hand",
			Help: "Requests that are being read or answered."}),
	}
	if registry == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.items, m.rejected, m.uncounted, m.seconds, m.bytes, m.inHand} {
		errs = append(errs, registry.Register(c))
	}
	return m, errors.Join(errs...)
}
