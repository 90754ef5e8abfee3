// Package announce publishes changes of verdict: it reads prevention.verdict_log and sends what is not in
// prevention.verdict_published yet to the stream PREVENTION_GAP, each as one CloudEvent, in order for each programme.
//
// A change is noted as published only after the stream has confirmed it. Whoever is cut off in between sends it again
// under the same id, which the stream drops for 24 hours; after that it is there twice with one id. Several announcers
// at once send the same ids, in the same order, and do no harm.
package announce

import (
	"context"
	_ "embed" // the query
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

// Config is what an announcer needs.
type Config struct {
	ClickHouse driver.Conn           // required; the tables are there
	JetStream  jetstream.JetStream   // required; the caller closes its connection after Run
	Streams    stream.Options        // how streams that do not exist yet are made
	Log        *slog.Logger          // nil for silence
	Registry   prometheus.Registerer // nil: metrics are not registered

	// Source is the events' source: the URI of this deployment, the same for all its announcers. Default
	// [DefaultSource].
	Source string
	// Interval is the time between two looks into the log. Default 2 s.
	Interval time.Duration
	// RetryMost is the longest wait after a look that failed; waits begin at Interval and double. Default 30 s, and
	// never less than Interval.
	RetryMost time.Duration
	// Timeout is how long one query, or one try to publish one event, may take. Default 10 s.
	Timeout time.Duration
	// Now is the clock that the age of what is pending is measured by. Default time.Now.
	Now func() time.Time
	// Checkpoint, where set, is called after each step; an error ends the announcer there, as a kill would. For crash
	// tests.
	Checkpoint func(step Step) error
}

// DefaultSource is the source of a deployment that has not named its own.
const DefaultSource = "urn:gapwatch"

// Step is a point at which an announcer may be cut off.
type Step string

// The steps in their order.
const (
	Read      Step = "read"      // what is pending is known
	Confirmed Step = "confirmed" // the stream has the events
	Noted     Step = "noted"     // and prevention.verdict_published says so
)

// ErrStop is wrapped by errors that no second try mends: somebody must repair the set-up (a missing table, a stream
// that is not ours) or a row of the log. All other errors may pass. Nothing is lost either way.
var ErrStop = errors.New("verdicts cannot be published")

// perRead is how many changes of one programme are read at a time.
const perRead = 500

//go:embed queries/pending.sql
var pendingQuery string

// sourceRule is RFC 3986's scheme and characters; the schema has the same.
var sourceRule = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$`)

func (c *Config) setDefaults() error {
	if c.ClickHouse == nil || c.JetStream == nil {
		return errors.New("announce: ClickHouse and JetStream must be set")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Source == "" {
		c.Source = DefaultSource
	}
	if len(c.Source) > 255 || !sourceRule.MatchString(c.Source) {
		return fmt.Errorf("announce: source %q is not an absolute URI (RFC 3986) of at most 255 characters", c.Source)
	}
	if c.Interval < 0 || c.RetryMost < 0 || c.Timeout < 0 {
		return errors.New("announce: Interval, RetryMost and Timeout must not be negative")
	}
	set := func(d *time.Duration, fallback time.Duration) {
		if *d == 0 {
			*d = fallback
		}
	}
	set(&c.Interval, 2*time.Second)
	set(&c.RetryMost, 30*time.Second)
	set(&c.Timeout, 10*time.Second)
	c.RetryMost = max(c.RetryMost, c.Interval)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c.Streams.Validate()
}

// Announcer publishes changes of verdict. Everything it needs to go on is in ClickHouse.
type Announcer struct {
	config  Config
	metrics *metrics

	mu    sync.Mutex // one tick at a time
	there bool       // the stream was there when last looked for
}

// New prepares an announcer; it touches neither the store nor NATS yet. Its error is for stopping at start.
func New(config Config) (*Announcer, error) {
	if err := config.setDefaults(); err != nil {
		return nil, err
	}
	if _, err := contract(); err != nil {
		return nil, fmt.Errorf("announce: %w", err)
	}
	m, err := newMetrics(config.Registry, config.Now)
	if err != nil {
		return nil, fmt.Errorf("announce: %w", err)
	}
	return &Announcer{config: config, metrics: m}, nil
}

// Run announces until ctx ends, and then returns nil. It sits out ClickHouse or NATS being away and a full stream,
// however long. Any error wraps [ErrStop], or is the Checkpoint's.
func (a *Announcer) Run(ctx context.Context) error {
	wait := a.config.Interval
	for ctx.Err() == nil {
		_, err := a.Tick(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			wait = a.config.Interval
		case errors.Is(err, ErrStop), errors.Is(err, errCutOff):
			return err
		case errors.Is(err, stream.ErrFull):
			a.config.Log.Error("verdicts wait: nobody is told of them until the stream has room", "stream", stream.Gap, "in", wait, "error", err)
		default:
			a.config.Log.Warn("verdicts wait, trying again", "in", wait, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		if err != nil {
			wait = min(2*wait, a.config.RetryMost)
		}
	}
	return nil
}

// Tick publishes every change that is logged by now and not noted as published, and says how many the stream confirmed.
// An error that wraps [ErrStop] says what must be repaired, any other (one of them [stream.ErrFull]) that a later tick
// may work; n counts what was confirmed before it. A row that breaks the schema holds up its own programme only, whose
// later changes must not come before it.
func (a *Announcer) Tick(ctx context.Context) (n int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		rows, total, err := a.pending(ctx)
		if err != nil {
			return n, a.failed("read the log", err)
		}
		if err := a.checkpoint(Read); err != nil {
			return n, err
		}
		if err := a.ensure(ctx); err != nil {
			return n, a.failed("set up the stream", err)
		}
		confirmed, err := a.publish(ctx, rows, total)
		n += confirmed
		if err != nil || total == len(rows) {
			return n, err
		}
	}
}

// pending is what is to be published next, in order, and how many changes are pending in all.
func (a *Announcer) pending(ctx context.Context) (rows []row, total int, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.config.Timeout)
	defer cancel()
	found, err := a.config.ClickHouse.Query(ctx, pendingQuery, clickhouse.Named("most", perRead))
	if err != nil {
		return nil, 0, judged(err)
	}
	defer found.Close() //nolint:errcheck // found.Err tells
	for found.Next() {
		var r row
		var day, against int32
		var all uint64
		if err := found.Scan(&r.eventID, &r.programme, &r.season, &r.level, &r.code, &r.name, &r.n, &r.verdict, &r.previous,
			&day, &r.decidedAt, &r.fifths, &r.comparator, &against, &r.sentence, &r.shown, &r.gap, &r.change, &r.low, &r.high,
			&r.slopeII, &all); err != nil {
			return nil, 0, fmt.Errorf("%w: %w", ErrStop, err)
		}
		r.day, r.against, total = calendar.Day(day), calendar.Day(against), int(all)
		rows = append(rows, r)
	}
	if err := found.Err(); err != nil {
		return nil, 0, judged(err)
	}
	a.metrics.left(total, rows)
	return rows, total, nil
}

// ensure makes sure of the streams, once, and again after a publish failed. That of rejections is the collector's business.
func (a *Announcer) ensure(ctx context.Context) error {
	if a.there {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.config.Timeout)
	defer cancel()
	if err := stream.Ensure(ctx, a.config.JetStream, a.config.Streams); err != nil && !stream.OnlyRejections(err) {
		if errors.Is(err, stream.ErrStream) {
			return fmt.Errorf("%w: %w", ErrStop, err)
		}
		return err
	}
	a.there = true
	return nil
}

// publish sends the rows and notes those that the stream confirmed, which it counts.
func (a *Announcer) publish(ctx context.Context, rows []row, total int) (int, error) {
	var confirmed []string
	var left []row
	var faults []error
	held := map[string]bool{}
	for i := range rows {
		r := &rows[i]
		if held[r.programme] {
			left = append(left, *r)
			continue
		}
		msg, err := r.message(a.config.Source)
		if err != nil {
			held[r.programme] = true
			left = append(left, *r)
			faults = append(faults, a.failed("write an event", fmt.Errorf("%w: row %s of prevention.verdict_log: %w", ErrStop, r.eventID, err)))
			continue
		}
		attempt, cancel := context.WithTimeout(ctx, a.config.Timeout)
		duplicate, err := stream.Publish(attempt, a.config.JetStream, msg)
		cancel()
		if err != nil {
			left = append(left, rows[i:]...)
			faults = append(faults, a.unpublished(r, err))
			break
		}
		confirmed = append(confirmed, r.eventID)
		a.confirmed(r, duplicate)
	}
	if len(confirmed) > 0 {
		if err := a.checkpoint(Confirmed); err != nil {
			return len(confirmed), err
		}
		if err := a.note(ctx, confirmed); err != nil {
			return len(confirmed), errors.Join(append(faults, a.failed("note what is published", err))...)
		}
	}
	a.metrics.left(total-len(confirmed), left)
	if err := a.checkpoint(Noted); err != nil {
		return len(confirmed), err
	}
	return len(confirmed), errors.Join(faults...)
}

// confirmed counts and logs an event that is in the stream.
func (a *Announcer) confirmed(r *row, duplicate bool) {
	a.metrics.full.Set(0)
	if duplicate {
		a.metrics.duplicates.WithLabelValues(r.programme).Inc()
		return
	}
	a.metrics.published.WithLabelValues(r.programme).Inc()
	a.config.Log.Info("published a change of verdict", "id", r.eventID, "verdict", r.verdict, "previous", r.previous)
}

// unpublished is the error of a publish that was not confirmed.
func (a *Announcer) unpublished(r *row, err error) error {
	a.there = false // it may have been deleted
	what := "publish"
	switch {
	case errors.Is(err, stream.ErrFull):
		a.metrics.full.Set(1)
		what = "publish into a full stream"
	case stream.Hopeless(err):
		err = fmt.Errorf("%w: %w", ErrStop, err)
	}
	return a.failed(what, fmt.Errorf("event %s: %w", r.eventID, err))
}

// note writes down that the stream has these events. It does so even if ctx has ended: otherwise they would be sent
// again.
func (a *Announcer) note(ctx context.Context, ids []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.config.Timeout)
	defer cancel()
	return judged(store.Insert(ctx, a.config.ClickHouse, "verdict_published (event_id)", "", len(ids), func(i int) []any { return []any{ids[i]} }))
}

// judged makes an error of ClickHouse an [ErrStop] unless it may pass.
func judged(err error) error {
	if err == nil || store.Judge(err) == store.Retry {
		return err
	}
	return fmt.Errorf("%w: %w", ErrStop, err)
}

// failed counts a failure and says in its error what was tried.
func (a *Announcer) failed(what string, err error) error {
	a.metrics.retries.WithLabelValues(what).Inc()
	return fmt.Errorf("%s: %w", what, err)
}

// errCutOff wraps a checkpoint's error.
var errCutOff = errors.New("cut off")

func (a *Announcer) checkpoint(step Step) error {
	if a.config.Checkpoint == nil {
		return nil
	}
	if err := a.config.Checkpoint(step); err != nil {
		return fmt.Errorf("%w after %s: %w", errCutOff, step, err)
	}
	return nil
}
