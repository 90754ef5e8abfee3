package deadletter

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/stream"
)

// Replay is how letters are replayed.
type Replay struct {
	Decoder *event.Decoder // with the programmes that collectors and aggregators have now
	Log     Log
	DryRun  bool // nothing is published, logged or removed

	// Checkpoint is called after each step; an error ends the replay on the spot, as a kill would. For tests; nil otherwise.
	Checkpoint func(step Step) error
}

// Step is a point at which a replay may be cut off.
type Step string

// The steps in their order.
const (
	Published Step = "published" // messages are in the stream of events again
	Logged    Step = "logged"    // prevention.dead_letter_log says so
	Removed   Step = "removed"   // the letters are gone
)

// Replayed is what a replay did. After an error it is what was done before.
type Replayed struct {
	Replayed  int // published again, confirmed and removed; of a dry run, those that would be
	Twice     int // of those, letters whose message was in the stream already: replayed a moment ago, by somebody or before a fault
	Elsewhere int // of those, letters that somebody else had removed meanwhile

	Refused    []Refused // would be refused again: they stay
	AskSenders int       // have no message with them: the sender must send it again; they stay
}

// Refused is why letters would be refused again, and how many.
type Refused struct {
	Reason  event.Reason
	Field   string
	Detail  string
	Letters int
	First   uint64 // sequence of one of them
}

// chunk is how many letters are published, then logged, then removed.
const chunk = 200

// Run replays the letters that a filter chooses. Its error is [ErrRetry] where it may pass; running it again is always safe.
func (r Replay) Run(ctx context.Context, b *Box, f Filter) (Replayed, error) {
	var result Replayed
	var chosen []Entry
	flush := func() error {
		if len(chosen) == 0 {
			return nil
		}
		err := r.publish(ctx, b, chosen, &result)
		chosen = chosen[:0]
		return err
	}
	refused := map[Refused]int{} // index in result.Refused
	err := b.Each(ctx, f, func(e Entry) error {
		if !e.Replayable() {
			result.AskSenders++
			return nil
		}
		if _, rejection := r.Decoder.DecodeAt(e.Subject, []byte(e.Payload), r.now()); rejection != nil {
			kind := Refused{Reason: rejection.Reason, Field: rejection.Field, Detail: rejection.Detail}
			at, known := refused[kind]
			if !known {
				at = len(result.Refused)
				refused[kind] = at
				result.Refused = append(result.Refused, kind)
				result.Refused[at].First = e.Sequence
			}
			result.Refused[at].Letters++
			return nil
		}
		if r.DryRun {
			result.Replayed++
			return nil
		}
		if chosen = append(chosen, e); len(chosen) == chunk {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	return result, judged(err)
}

func (r Replay) now() time.Time {
	if r.Decoder.Now != nil {
		return r.Decoder.Now()
	}
	return time.Now()
}

// publish publishes messages again, logs it and removes their letters.
func (r Replay) publish(ctx context.Context, b *Box, entries []Entry, result *Replayed) error {
	again := make([]uint64, len(entries))
	twice := 0
	for i, e := range entries {
		if err := b.within(ctx, func(ctx context.Context) error {
			ack, err := stream.PublishAck(ctx, b.js, message(b, e))
			if err != nil {
				return fmt.Errorf("publish the message of dead letter %d: %w", e.Sequence, err)
			}
			again[i] = ack.Sequence
			if ack.Duplicate {
				twice++
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if err := r.checkpoint(Published); err != nil {
		return err
	}
	if err := r.Log.write(ctx, b, replayed, entries, again); err != nil {
		return err
	}
	if err := r.checkpoint(Logged); err != nil {
		return err
	}
	removed, err := b.remove(ctx, entries, false)
	if err != nil {
		return err
	}
	result.Replayed += len(entries)
	result.Twice += twice
	result.Elsewhere += len(entries) - removed
	return r.checkpoint(Removed)
}

// message is a letter's message ready to be published again, from where it came at first.
func message(b *Box, e Entry) *nats.Msg {
	msg := stream.Message(e.Subject, fmt.Sprintf("replay/%d/%d", b.created.UnixNano(), e.Sequence), []byte(e.Payload))
	if e.Sender != "" {
		msg.Header.Set(stream.HeaderSender, e.Sender)
	}
	if e.Request != "" {
		msg.Header.Set(stream.HeaderRequest, e.Request)
	}
	return msg
}

func (r Replay) checkpoint(step Step) error {
	if r.Checkpoint == nil {
		return nil
	}
	if err := r.Checkpoint(step); err != nil {
		return fmt.Errorf("cut off after %s: %w", step, err)
	}
	return nil
}
