package crash_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/simulate/feed"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/telemetry"
)

var errPower = errors.New("the power went")

// part is a collector or an aggregator at work inside the test.
type part struct {
	t        testing.TB
	stop     context.CancelFunc
	ended    chan struct{}
	err      error
	registry *prometheus.Registry
}

func (s *system) run(run func(context.Context) error, registry *prometheus.Registry) *part {
	ctx, stop := context.WithCancel(context.Background())
	p := &part{t: s.t, stop: stop, ended: make(chan struct{}), registry: registry}
	go func() {
		defer close(p.ended)
		p.err = run(ctx)
	}()
	s.t.Cleanup(func() {
		stop()
		<-p.ended
	})
	return p
}

// finish tells the part to stop, which it must do cleanly.
func (p *part) finish() {
	p.t.Helper()
	p.stop()
	<-p.ended
	if p.err != nil {
		p.t.Error(p.err)
	}
}

// alive fails the test if the part has ended by itself.
func (p *part) alive() {
	p.t.Helper()
	select {
	case <-p.ended:
		p.t.Fatalf("it ended by itself: %v", p.err)
	default:
	}
}

// metric is the sum of a counter over all labels.
func (p *part) metric(name string) (sum float64) {
	p.t.Helper()
	families, err := p.registry.Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func (s *system) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
}

// collect starts a collector with a connection of its own.
func (s *system) collect(change func(*collect.Config)) *part {
	s.t.Helper()
	_, js := s.nats.Connect()
	config := collect.Config{
		JetStream: js, ClickHouse: s.clickhouse, Programmes: s.history.Programmes(), Telemetry: telemetry.New(), Logger: s.logger(),
		Batch: 400, MaxAge: 20 * time.Millisecond, Collectors: 8,
		InsertTimeout: 15 * time.Second, FlushTimeout: 500 * time.Millisecond,
		RetryFirst: 10 * time.Millisecond, RetryMost: 100 * time.Millisecond,
	}
	if change != nil {
		change(&config)
	}
	c, err := collect.New(config)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.run(c.Run, config.Telemetry.Registry)
}

// aggregator makes an aggregator; run it or tick it.
func (s *system) aggregator(change func(*rollup.Config)) (*rollup.Aggregator, *prometheus.Registry) {
	s.t.Helper()
	registry := prometheus.NewRegistry()
	config := rollup.Config{ClickHouse: s.clickhouse, Programmes: s.history.Programmes(), Log: s.logger(), Registry: registry,
		Interval: 20 * time.Millisecond, Share: 1, AuditEvery: -1}
	if change != nil {
		change(&config)
	}
	a, err := rollup.New(config)
	if err != nil {
		s.t.Fatal(err)
	}
	return a, registry
}

// parts are the messages of the history in n parts.
func (s *system) parts(n int) [][]simulate.Message {
	var all []simulate.Message
	for m := range s.history.Messages() {
		m.Payload = slices.Clone(m.Payload)
		all = append(all, m)
	}
	return slices.Collect(slices.Chunk(all, (len(all)+n-1)/n))
}

// TestCutOffBetweenInsertAndTick cuts a collector off after each of its steps, has an aggregator count what is there
// then, cuts that off as well, and goes on with others. What a collector has inserted and not yet written down as handled
// must not be counted, not even when other things are; in the end all is counted once.
func TestCutOffBetweenInsertAndTick(t *testing.T) {
	s := newSystem(t, 3, 1500)
	// Three times that, and a little more, is what the next collector waits for what the one that is cut off had in hand.
	const untilAnother = 5 * time.Second
	steps := []collect.Step{collect.Inserted, collect.Handled, collect.Acknowledged, collect.DeadLettered} // what is invalid comes late in the history
	var sent feed.Report
	for i, part := range s.parts(len(steps)) {
		report, err := feed.Publish(t.Context(), s.nc, slices.Values(part), feed.Options{})
		if err != nil {
			t.Fatal(err)
		}
		sent.Confirmed, sent.Duplicates = sent.Confirmed+report.Confirmed, sent.Duplicates+report.Duplicates
		last := s.stream(stream.Events).State.LastSeq

		batches := 0
		cut := s.collect(func(c *collect.Config) {
			c.Owners, c.Batch = 1, 200
			c.InsertTimeout = untilAnother
			c.Checkpoint = func(step collect.Step) error {
				if step == collect.Fetched {
					batches++
				}
				if step == steps[i] && batches > 1 {
					return errPower
				}
				return nil
			}
		})
		s.until("the collector is cut off after "+string(steps[i]), func(context.Context) (bool, any, error) {
			select {
			case <-cut.ended:
				return true, nil, nil
			default:
				return false, cut.metric("gapwatch_batches_total"), nil
			}
		})
		if !errors.Is(cut.err, errPower) {
			t.Fatalf("after %s the collector ended with %v", steps[i], cut.err)
		}
		var inserted, handled uint64
		if err := s.clickhouse.QueryRow(t.Context(), "SELECT max(sequence), (SELECT max(sequence) FROM prevention.handled) FROM prevention.events").Scan(&inserted, &handled); err != nil {
			t.Fatal(err)
		}
		if ahead := inserted > handled; ahead != (steps[i] == collect.Inserted || steps[i] == collect.DeadLettered) {
			t.Errorf("after %s: inserted up to %d, handled up to %d", steps[i], inserted, handled)
		}
		for _, at := range []string{"cells", "published", "never"} {
			a, _ := s.aggregator(func(c *rollup.Config) {
				c.Checkpoint = func(name string) error {
					if name == at {
						return errPower
					}
					return nil
				}
			})
			result, err := a.Tick(t.Context())
			if errors.Is(err, errPower) {
				continue
			}
			if err != nil || result.At.Sequence != handled {
				t.Fatalf("after %s: counted up to %d with %d handled: %v", steps[i], result.At.Sequence, handled, err)
			}
			if audit, err := a.Audit(t.Context()); err != nil || audit.Mismatches != 0 {
				t.Errorf("after %s: %+v, %v", steps[i], audit, err)
			}
		}

		next := s.collect(func(c *collect.Config) { c.InsertTimeout = untilAnother })
		s.until(fmt.Sprintf("all %d messages are handled", last), func(ctx context.Context) (bool, any, error) {
			next.alive()
			n, err := s.handled(ctx)
			return n == last, n, err
		})
		next.finish()
	}
	a, _ := s.aggregator(nil)
	if result, err := a.Tick(t.Context()); err != nil || result.At.Sequence != s.last {
		t.Fatalf("%+v, %v", result, err)
	}
	s.truth(sent)
}

// TestTwoOfEachAtOnce lets two collectors and two aggregators work on one stream and one store at the same time, one
// aggregator by steps only, the other also by full recomputes.
func TestTwoOfEachAtOnce(t *testing.T) {
	s := newSystem(t, 4, 5000)
	var parts []*part
	var written [2]atomic.Int64 // how often each aggregator was about to write; whether it, too, was the first is luck
	for i := range 2 {
		parts = append(parts, s.collect(nil))
		a, registry := s.aggregator(func(c *rollup.Config) {
			c.Backlog, c.Patience = 1_000_000, time.Nanosecond
			c.Checkpoint = func(string) error {
				written[i].Add(1)
				return nil
			}
			if i == 1 {
				c.Backlog = 300
			}
		})
		parts = append(parts, s.run(a.Run, registry))
	}
	events := s.publish(2000)
	s.settled(events, func() {
		t.Helper()
		for _, p := range parts {
			p.alive()
		}
	})
	for _, p := range parts {
		p.finish()
	}
	for i := range written {
		collector, aggregator := parts[2*i], parts[2*i+1]
		stored, writes := collector.metric("gapwatch_events_total"), written[i].Load()
		if stored == 0 || writes == 0 {
			t.Errorf("one of two did nothing: %.0f events, %d writes of counts", stored, writes)
		}
		t.Logf("one of two: %.0f events, %d writes of counts, %.0f slices published", stored, writes, aggregator.metric("gapwatch_aggregator_slices_published_total"))
	}
	s.truth(events.report)
}

// TestClickHouseAwayForLong stops ClickHouse for longer than any wait between two tries, while events come in.
func TestClickHouseAwayForLong(t *testing.T) {
	s := newSystem(t, 5, 1500)
	collector := s.collect(nil)
	a, registry := s.aggregator(nil)
	aggregator := s.run(a.Run, registry)
	alive := func() {
		t.Helper()
		collector.alive()
		aggregator.alive()
	}
	events := s.publish(0)
	s.until("some messages are counted", func(ctx context.Context) (bool, any, error) {
		alive()
		n, err := s.published(ctx)
		return n > 0, n, err
	})
	s.engine.Stop()
	s.until("both have tried often", func(context.Context) (bool, any, error) {
		alive()
		collected, counted := collector.metric("gapwatch_retries_total"), aggregator.metric("gapwatch_aggregator_errors_total")
		return counted >= 30 && (collected >= 30 || collector.metric("gapwatch_events_total") >= float64(s.last)), collected + counted, nil
	})
	s.startEngine()
	s.settled(events, alive)
	collector.finish()
	aggregator.finish()
	s.truth(events.report)
}
