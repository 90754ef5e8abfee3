package collect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

// ErrDeadLettersFull ends a collector: a message that cannot be stored has no place to go to, and dropping it is not an
// option. Nothing is lost: the messages stay in the stream. Look at the dead letters, or raise the stream's MaxBytes.
var ErrDeadLettersFull = errors.New("the dead-letter stream is full")

// ErrEverythingRefused ends a collector: ClickHouse refused many rows and stored none since the first of them, in however
// many batches, or refused one that it had stored a moment before. The fault is then rather the tables' than the rows'. None
// of them was dead-lettered and nothing is lost.
var ErrEverythingRefused = errors.New("ClickHouse refuses every row")

// Collector moves events from JetStream to ClickHouse. See the package's documentation for how.
type Collector struct {
	Config
	decoder  *event.Decoder
	metrics  *metrics
	source   source
	suspects suspects
	before   position   // up to where anything had been handled at the start
	fetching sync.Mutex // one owner fetches at a time, so that batches fill up
	older    uint64     // creation of the stream that was last found to be older than what was handled
}

// New checks the configuration and registers metrics and readiness. Its error is for stopping at start.
func New(config Config) (*Collector, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	c := &Collector{Config: config.withDefaults()}
	c.decoder = &event.Decoder{Programmes: c.Programmes, Now: config.Now}
	var err error
	if c.metrics, err = newMetrics(c.Telemetry.Registry); err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	return c, nil
}

// Run collects until ctx ends, and then finishes the batches in hand, for StopTimeout at most; what is not finished is
// handed back to JetStream. It sits out NATS and ClickHouse being away, however long. Any error means that somebody
// must repair something: a wrong password, a missing table, [stream.ErrStream], [ErrDeadLettersFull],
// [ErrEverythingRefused]. Run may be called once.
func (c *Collector) Run(ctx context.Context) error {
	defer c.Telemetry.Ready("collector", c.ready)()
	if limit := 2 * int(c.JetStream.Conn().MaxPayload()); c.BatchBytes < limit {
		c.BatchBytes = limit // a message larger than what a fetch asks for would never be delivered
	}
	// Work outlives ctx by StopTimeout; a fault anywhere ends the rest the same way.
	group, ctx := errgroup.WithContext(ctx)
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(c.StopTimeout, cancel) })()

	if err := c.prepare(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	c.Logger.Info("collecting", "batch", c.Batch, "ack_wait", c.ackWait())
	for range c.Owners {
		group.Go(func() error {
			err := c.own(ctx, work)
			if errors.Is(err, errCutOff) {
				cancel()
			}
			return err
		})
	}
	group.Go(func() error { return c.account(ctx) })
	group.Go(func() error { return c.keepRejections(ctx) })
	err := group.Wait()
	if err != nil {
		c.Logger.Error("collecting stopped", "error", err)
	}
	return err
}

// prepare waits until there are tables, streams and a consumer.
func (c *Collector) prepare(ctx context.Context) error {
	if c.Prepare != nil {
		if err := c.retry(ctx, "prepare ClickHouse", func() error { return c.judged(c.Prepare(ctx)) }); err != nil {
			return err
		}
	}
	if err := c.ask(ctx, "find what was handled last", func(ctx context.Context) (err error) {
		c.before, err = c.newestHandled(ctx)
		return err
	}); err != nil {
		return err
	}
	return c.retry(ctx, "set up NATS", func() error { return c.refresh(ctx) })
}

// refresh makes sure of streams and consumer, and looks whether the stream is still the same.
func (c *Collector) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, natsTimeout)
	defer cancel()
	if err := c.ensure(ctx); err != nil {
		return err
	}
	consumer, err := EnsureConsumer(ctx, c.JetStream, c.ackWait(), c.maxAckPending())
	if err != nil {
		return stopAt(err, stream.ErrStream)
	}
	st, err := c.JetStream.Stream(ctx, stream.Events)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", stream.Events, err)
	}
	c.another(c.source.set(st, consumer))
	return nil
}

// ensure makes sure of the streams. One of rejections that cannot be made right is said, and is no reason to store no events.
func (c *Collector) ensure(ctx context.Context) error {
	err := stream.Ensure(ctx, c.JetStream, c.Streams)
	if stream.OnlyRejections(err) {
		c.Logger.Error("senders are not told of dead letters", "stream", stream.Rejections, "error", err)
		return nil
	}
	return stopAt(err, stream.ErrStream)
}

func (c *Collector) another(is bool) {
	if is {
		c.Logger.Error("the stream was deleted and made again: what nobody had read of the old one is gone", "stream", stream.Events)
	}
}

// own takes one batch after another from fetch to acknowledgement.
func (c *Collector) own(ctx, work context.Context) error {
	for ctx.Err() == nil {
		b, err := c.fetch(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			continue
		}
		if err := b.handle(work); err != nil {
			return c.giveUp(work, b, err)
		}
	}
	return nil
}

// giveUp hands a batch back that could not be finished, unless the collector was cut off. Having been told to stop is
// no fault.
func (c *Collector) giveUp(work context.Context, b *batch, err error) error {
	if errors.Is(err, errCutOff) {
		return err
	}
	b.handBack()
	if work.Err() == nil {
		return err
	}
	c.Logger.Warn("told to stop before a batch was stored: it is handed back to the stream", "messages", len(b.messages))
	return nil
}

// fetch waits for the next batch; nil if there was none in its time.
func (c *Collector) fetch(ctx context.Context) (*batch, error) {
	c.fetching.Lock()
	defer c.fetching.Unlock()
	if ctx.Err() != nil {
		return nil, nil
	}
	_, consumer := c.source.get()
	fetched, err := Fetch(consumer, c.Batch, c.BatchBytes, c.MaxAge)
	if err != nil {
		c.Logger.Warn("fetching was broken off", "error", err)
		c.metrics.retries.WithLabelValues("fetch").Inc()
		// The consumer or the stream may be gone, or NATS away: go on when all are there again. What was fetched before
		// is still ours.
		if err := c.retry(ctx, "set up NATS", func() error { return c.refresh(ctx) }); err != nil && ctx.Err() == nil {
			return nil, err
		}
	}
	if len(fetched) == 0 {
		return nil, nil
	}
	return c.newBatch(fetched)
}

// natsTimeout is how long one request to NATS may take.
const natsTimeout = 5 * time.Second

// errCutOff wraps a checkpoint's error.
var errCutOff = errors.New("cut off")

func (c *Collector) checkpoint(step Step) error {
	if c.Checkpoint == nil {
		return nil
	}
	if err := c.Checkpoint(step); err != nil {
		return fmt.Errorf("%w after %s: %w", errCutOff, step, err)
	}
	return nil
}

// retry tries until it works, waiting longer and longer up to RetryMost, or until ctx ends. A [backoff.Permanent]
// error ends it.
func (c *Collector) retry(ctx context.Context, what string, try func() error) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = c.RetryFirst, c.RetryMost
	since := c.Now()
	tries := 0
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		tries++
		return struct{}{}, try()
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, next time.Duration) {
		c.metrics.retries.WithLabelValues(what).Inc()
		c.Logger.Warn("will try again", "what", what, "in", next, "since", since, "error", err)
	}))
	if err == nil && tries > 1 {
		c.Logger.Info("works again", "what", what, "tries", tries)
	}
	return err
}

// ask tries something with ClickHouse until it works. What takes longer than a try may take gets more time, up to four times as
// much.
func (c *Collector) ask(ctx context.Context, what string, try func(context.Context) error) error {
	timeout := c.InsertTimeout
	return c.retry(ctx, what, func() error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		err := try(ctx)
		if err != nil && ctx.Err() != nil {
			timeout = min(2*timeout, 4*c.InsertTimeout)
		}
		return c.judged(err)
	})
}

// judged makes an error of ClickHouse permanent unless it may pass.
func (c *Collector) judged(err error) error {
	if err == nil || store.Judge(err) == store.Retry {
		return err
	}
	return backoff.Permanent(err)
}

// stopAt makes an error permanent if it is that one.
func stopAt(err, permanent error) error {
	if errors.Is(err, permanent) {
		return backoff.Permanent(err)
	}
	return err
}

// ready says why the collector cannot work right now.
func (c *Collector) ready(ctx context.Context) error {
	if status := c.JetStream.Conn().Status(); status != nats.CONNECTED {
		return fmt.Errorf("NATS: %s", status)
	}
	_, consumer := c.source.get()
	if consumer == nil {
		return errors.New("NATS: streams and consumer are not set up yet")
	}
	if _, err := consumer.Info(ctx); err != nil {
		return fmt.Errorf("consumer %s: %w", stream.Collector, err)
	}
	if err := c.ClickHouse.Ping(ctx); err != nil {
		return fmt.Errorf("ClickHouse: %w", err)
	}
	if n := c.suspects.open(); n > 0 {
		return fmt.Errorf("ClickHouse: refuses rows, the last %d of them with none stored since", n)
	}
	return nil
}
