package collect

import (
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/stream"
)

// metrics are a collector's. Labels hold programmes, reasons and names of streams, never anything of a person or a record.
type metrics struct {
	events       *prometheus.CounterVec
	deadLetters  *prometheus.CounterVec
	redeliveries prometheus.Counter
	batches      prometheus.Counter
	batchSize    prometheus.Histogram
	insert       prometheus.Histogram
	retries      *prometheus.CounterVec
	fullness     *prometheus.GaugeVec
	oldest       prometheus.Gauge
	pending      prometheus.Gauge
	unaccounted  prometheus.Gauge
	lost         prometheus.Gauge
	older        prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gapwatch_events_total",
			Help: "Messages handled, by outcome (stored, dead letter) and programme (empty for dead letters). A message that is delivered again counts again."},
			[]string{"outcome", "programme"}),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gapwatch_dead_letters_total",
			Help: "Dead letters published, by reason. One that the stream had already does not count."}, []string{"reason"}),
		redeliveries: counter("gapwatch_redeliveries_total", "Messages that were delivered before, to this or another collector."),
		batches:      counter("gapwatch_batches_total", "Batches handled and acknowledged."),
		batchSize: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "gapwatch_batch_messages", Help: "Messages in a batch.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 9)}),
		insert: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "gapwatch_insert_seconds", Help: "Time of one insert of events, successful or not, in seconds.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 13)}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gapwatch_retries_total",
			Help: "Tries that failed and are made again, by what was tried."}, []string{"what"}),
		fullness: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "gapwatch_stream_full_ratio",
			Help: "Share of its size limit that a stream uses, 0 to 1. At 1, publishing is refused; for dead letters, collectors stop."}, []string{"stream"}),
		oldest:      gauge("gapwatch_oldest_unread_ratio", "Age of the oldest message that is not acknowledged, as a share of the stream's MaxAge. At 1 it is lost."),
		pending:     gauge("gapwatch_pending_messages", "Messages in the stream that are not acknowledged yet."),
		unaccounted: gauge("gapwatch_unaccounted_messages", "Messages that the stream took and that are neither handled nor still in it. Must return to 0."),
		lost:        gauge("gapwatch_lost_messages", "Messages written off because they left the stream unread. Part of gapwatch_unaccounted_messages."),
		older:       gauge("gapwatch_stream_older", "1 if the stream of events was found to be older than what ClickHouse has handled: a restored NATS. Events may not be counted."),
	}
	for _, c := range []prometheus.Collector{m.events, m.deadLetters, m.redeliveries, m.batches, m.batchSize, m.insert, m.retries,
		m.fullness, m.oldest, m.pending, m.unaccounted, m.lost, m.older} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	m.fullness.WithLabelValues(stream.Events)
	m.fullness.WithLabelValues(stream.DeadLetters)
	return m, nil
}
