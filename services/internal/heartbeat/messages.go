package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/stream"
)

// messages is what JetStream says of the events; all zero while nobody has made the stream.
type messages struct {
	created           uint64 // nanoseconds
	first, last       uint64 // sequences: the oldest that is still there, the newest that was given out
	waiting           uint64 // not acknowledged
	oldest            time.Time
	full, lettersFull float64
}

// look asks JetStream. An error means that it cannot be reached, and passes.
func look(ctx context.Context, js jetstream.JetStream) (m messages, err error) {
	events, err := js.Stream(ctx, stream.Events)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("look up stream %s: %w", stream.Events, err)
	}
	info := events.CachedInfo()
	m.created, m.first, m.last = uint64(info.Created.UnixNano()), info.State.FirstSeq, info.State.LastSeq
	m.waiting, m.full = info.State.Msgs, stream.Fullness(info)
	unread, inHand := m.first, uint64(0)
	consumer, err := events.Consumer(ctx, stream.Collector)
	switch {
	case err == nil:
		reading := consumer.CachedInfo()
		inHand = uint64(reading.NumAckPending)
		m.waiting = stream.Undelivered(info, reading) + inHand
		unread = max(unread, reading.AckFloor.Stream+1)
	case !errors.Is(err, jetstream.ErrConsumerNotFound): // without one nobody has read anything
		return m, fmt.Errorf("look up consumer %s: %w", stream.Collector, err)
	}
	if m.waiting > 0 {
		oldest, err := events.GetMsg(ctx, unread, jetstream.WithGetMsgSubject(">"))
		switch {
		case err == nil:
			m.oldest = oldest.Time
		case errors.Is(err, jetstream.ErrMsgNotFound): // handled meanwhile, or the newest ones were deleted
			m.waiting = inHand
		default:
			return m, fmt.Errorf("look up the oldest waiting message: %w", err)
		}
	}
	letters, err := js.Stream(ctx, stream.DeadLetters)
	switch {
	case err == nil:
		m.lettersFull = stream.Fullness(letters.CachedInfo())
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return m, fmt.Errorf("look up stream %s: %w", stream.DeadLetters, err)
	}
	return m, nil
}
