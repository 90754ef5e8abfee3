package collect

import (
	"context"
	_ "embed" // the query
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/stream"
)

// batch is messages that one goroutine owns from fetch to acknowledgement.
type batch struct {
	*Collector
	messages []Message
	began    time.Time
	stored   map[string]int // rows in prevention.events, by programme
	quiet    func()         // ends the signs of life
}

func (c *Collector) newBatch(fetched []jetstream.Msg) (*batch, error) {
	messages, err := newMessages(fetched)
	if err != nil {
		return nil, err
	}
	b := &batch{Collector: c, messages: messages, began: time.Now(), stored: make(map[string]int)}
	b.stayAlive()
	return b, nil
}

// stayAlive tells JetStream three times in AckWait that the messages are being worked on, for as long as that takes.
func (b *batch) stayAlive() {
	stop, stopped := make(chan struct{}), make(chan struct{})
	b.quiet = sync.OnceFunc(func() {
		close(stop)
		<-stopped
	})
	go func() {
		defer close(stopped)
		ticks := time.NewTicker(b.ackWait() / 3)
		defer ticks.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticks.C:
				for i := range b.messages {
					// An error means that NATS is away. The message is then delivered again, which does no harm.
					_ = b.messages[i].Msg.InProgress()
				}
			}
		}
	}()
}

// handBack gives the messages back at once, for whoever fetches next. If it fails they come again after AckWait.
func (b *batch) handBack() {
	b.quiet()
	for i := range b.messages {
		_ = b.messages[i].Msg.Nak()
	}
	b.flush(context.Background())
}

// handle does with the batch what must be done, in the order that makes it safe to be cut off. It returns nil when
// everything is acknowledged; otherwise the messages are still the batch's. Errors are for stopping the collector.
func (b *batch) handle(ctx context.Context) error {
	defer b.quiet()
	if err := b.checkpoint(Fetched); err != nil {
		return err
	}
	if err := b.stamp(ctx); err != nil {
		return err
	}
	rows := Decode(b.decoder, b.messages, b.Decoders)
	rows, err := b.withoutLetters(ctx, rows)
	if err != nil {
		return err
	}
	if err := b.store(ctx, rows); err != nil {
		return err
	}
	if err := b.checkpoint(Inserted); err != nil {
		return err
	}
	if err := b.sendLetters(ctx); err != nil {
		return err
	}
	if err := b.writeHandled(ctx); err != nil {
		return err
	}
	if err := b.checkpoint(Handled); err != nil {
		return err
	}
	if err := b.remove(ctx); err != nil {
		return err
	}
	b.acknowledge(ctx)
	b.count()
	return b.checkpoint(Acknowledged)
}

// stamp gives every message the creation time of the stream it is from.
func (b *batch) stamp(ctx context.Context) error {
	var created []time.Time
	err := b.retry(ctx, "look up the stream", func() error {
		ctx, cancel := context.WithTimeout(ctx, natsTimeout)
		defer cancel()
		found, another, err := b.source.creations(ctx)
		b.another(another)
		created = found
		return err
	})
	if err != nil {
		return err
	}
	for i := range b.messages {
		b.messages[i].Stream = stamp(created, b.messages[i].Received)
	}
	return nil
}

//go:embed letters.sql
var lettersQuery string

// withoutLetters leaves out the rows of messages that became dead letters when they were delivered before: the programme file or
// the table may have been put right since, and what counts may not turn up below a position that was counted. A NATS that was
// restored gives old sequences to new messages: those came in after the letter.
func (b *batch) withoutLetters(ctx context.Context, rows []Row) ([]Row, error) {
	again := make(map[position]*Message)
	first, last := make(map[uint64]uint64), make(map[uint64]uint64) // by stream
	for i := range b.messages {
		m := &b.messages[i]
		if m.Delivered < 2 && b.before.isBefore(m.Stream, m.Sequence) || m.Rejection != nil {
			continue
		}
		if again[position{m.Stream, m.Sequence}] = m; last[m.Stream] == 0 {
			first[m.Stream] = m.Sequence
		}
		first[m.Stream], last[m.Stream] = min(first[m.Stream], m.Sequence), max(last[m.Stream], m.Sequence)
	}
	letters := false
	for created := range last {
		var sequences []uint64
		var at []time.Time
		err := b.ask(ctx, "look up dead letters", func(ctx context.Context) error {
			return b.ClickHouse.QueryRow(ctx, lettersQuery, clickhouse.Named("stream", created),
				clickhouse.Named("first", first[created]), clickhouse.Named("last", last[created])).Scan(&sequences, &at)
		})
		if err != nil {
			return nil, err
		}
		for i, sequence := range sequences {
			if m, is := again[position{created, sequence}]; is && at[i].After(m.Received) {
				m.Letter, letters = true, true
			}
		}
	}
	if !letters {
		return rows, nil
	}
	return slices.DeleteFunc(rows, func(r Row) bool {
		m, is := again[position{r.Stream, r.Sequence}]
		return is && m.Letter
	}), nil
}

// sendLetters publishes a dead letter for every rejected message, and a rejection to its sender where that is known, and has
// each confirmed. Rejections are a convenience: where they cannot be published, the batch goes on without.
func (b *batch) sendLetters(ctx context.Context) error {
	sent, untold := false, false
	for i := range b.messages {
		m := &b.messages[i]
		if m.Rejection == nil {
			continue
		}
		sent = true
		letter := NewLetter(m)
		msg, err := letter.message(b.JetStream.Conn().MaxPayload())
		if err != nil {
			return err
		}
		err = b.retry(ctx, "publish a dead letter", func() error {
			duplicate, err := b.publish(ctx, msg)
			switch {
			case errors.Is(err, stream.ErrFull):
				return backoff.Permanent(fmt.Errorf("%w: %w", ErrDeadLettersFull, err))
			case err == nil && !duplicate:
				b.metrics.deadLetters.WithLabelValues(string(m.Rejection.Reason)).Inc()
			}
			return err
		})
		if err != nil {
			return err
		}
		if msg, err = letter.rejection(); err != nil {
			return err
		}
		if msg != nil && !untold {
			if err := b.tell(ctx, msg); err != nil {
				if ctx.Err() != nil {
					return err
				}
				untold = true
				b.Logger.Error("senders are not told of dead letters", "stream", stream.Rejections, "error", err)
			}
		}
		b.Logger.Debug("dead letter", "reason", m.Rejection.Reason, "field", m.Rejection.Field, "sequence", m.Sequence, "sender", m.Sender, "request", m.Request)
	}
	if !sent {
		return nil
	}
	return b.checkpoint(DeadLettered)
}

// tell publishes a rejection. While NATS is away it waits; a stream that does not take it, although it was seen to, ends it.
func (b *batch) tell(ctx context.Context, msg *nats.Msg) error {
	refused := 0
	return b.retry(ctx, "publish a rejection", func() error {
		_, err := b.publish(ctx, msg)
		if err != nil && b.JetStream.Conn().IsConnected() {
			if refused++; refused > 1 {
				err = backoff.Permanent(err)
			}
		}
		return err
	})
}

// publish publishes one message and has it confirmed.
func (b *batch) publish(ctx context.Context, msg *nats.Msg) (duplicate bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, natsTimeout)
	defer cancel()
	duplicate, err = stream.Publish(ctx, b.JetStream, msg)
	if err != nil && !errors.Is(err, stream.ErrFull) {
		// Somebody may have deleted the stream: see to it before the next try.
		err = errors.Join(err, b.ensure(ctx))
	}
	return duplicate, err
}

func (b *batch) writeHandled(ctx context.Context) error {
	rows := make([]HandledRow, 0, len(b.messages))
	for i := range b.messages {
		m := &b.messages[i]
		if m.Suspect > 0 || m.Letter {
			continue
		}
		row := HandledRow{Stream: m.Stream, Sequence: m.Sequence, Outcome: Stored, Request: m.Request}
		if m.Rejection != nil {
			row.Outcome, row.Rejection = DeadLetter, m.Rejection
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil
	}
	return b.ask(ctx, "insert what was handled", func(ctx context.Context) error { return InsertHandled(ctx, b.ClickHouse, rows) })
}

// remove overwrites what looks like an NHS number in the stream's files. It comes after everything else is on record,
// so that a message that is gone is always one that was handled.
func (b *batch) remove(ctx context.Context) error {
	removed := false
	st, _ := b.source.get()
	for i := range b.messages {
		m := &b.messages[i]
		if m.Rejection == nil || !m.Rejection.Identifying {
			continue
		}
		removed = true
		err := b.retry(ctx, "remove a message with an NHS number", func() error {
			ctx, cancel := context.WithTimeout(ctx, natsTimeout)
			defer cancel()
			// The stream may have been deleted and made again: then another message has that sequence.
			if there, err := st.GetMsg(ctx, m.Sequence); err == nil && !there.Time.Equal(m.Received) {
				return nil
			}
			err := st.SecureDeleteMsg(ctx, m.Sequence)
			if err == nil {
				return nil
			}
			// It may be gone already: removed by an earlier try, or expired.
			if _, get := st.GetMsg(ctx, m.Sequence); errors.Is(get, jetstream.ErrMsgNotFound) || errors.Is(get, jetstream.ErrStreamNotFound) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if !removed {
		return nil
	}
	return b.checkpoint(Removed)
}

// acknowledge tells JetStream that every message is done with, but for suspects, which come again. An acknowledgement that
// is lost only means that the message comes again.
func (b *batch) acknowledge(ctx context.Context) {
	b.quiet()
	for i := range b.messages {
		switch m := &b.messages[i]; {
		case m.Suspect > 0:
			_ = m.Msg.NakWithDelay(m.Suspect)
		case m.Rejection != nil:
			_ = m.Msg.TermWithReason(string(m.Rejection.Reason))
		case m.Letter:
			_ = m.Msg.Term()
		default:
			_ = m.Msg.Ack()
		}
	}
	b.flush(ctx)
}

// flush sends off what was published to NATS and not waited for.
func (b *batch) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, b.FlushTimeout)
	defer cancel()
	if err := b.JetStream.Conn().FlushWithContext(ctx); err != nil {
		b.metrics.retries.WithLabelValues("acknowledge").Inc()
		b.Logger.Warn("acknowledgements may be lost: the messages will come again", "messages", len(b.messages), "error", err)
	}
}

func (b *batch) count() {
	b.metrics.batches.Inc()
	b.metrics.batchSize.Observe(float64(len(b.messages)))
	rejected, again := 0, 0
	for i := range b.messages {
		if b.messages[i].Delivered > 1 {
			again++
		}
		if b.messages[i].Rejection != nil {
			rejected++
		}
	}
	b.metrics.redeliveries.Add(float64(again))
	if rejected > 0 {
		b.Logger.Info("dead letters", "messages", rejected, "of", len(b.messages))
		b.metrics.events.WithLabelValues("dead letter", "").Add(float64(rejected))
	}
	for programme, n := range b.stored {
		b.metrics.events.WithLabelValues("stored", programme).Add(float64(n))
	}
	if named, more := b.requests(); len(named) > 0 {
		b.Logger.Info("batch", "messages", len(b.messages), "dead_letters", rejected, "last", b.messages[len(b.messages)-1].Sequence,
			"requests", named, "more_requests", more)
	}
}

// namedRequests is how many requests a line of the log names.
const namedRequests = 10

// requests are those that brought the batch's messages, in order: the first few by name, and how many more there are.
func (b *batch) requests() (named []string, more int) {
	seen := make(map[string]struct{})
	last := ""
	for i := range b.messages {
		request := b.messages[i].Request
		if request == last { // mostly: a request's messages follow each other
			continue
		}
		last = request
		if _, known := seen[request]; known || request == "" {
			continue
		}
		seen[request] = struct{}{}
		if len(named) < namedRequests {
			named = append(named, request)
		}
	}
	return named, len(seen) - len(named)
}
