package collect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/stream"
)

// EnsureConsumer creates the durable consumer that all collectors share, or brings it to what they rely on. What an
// operator or another collector set higher stays. One that cannot be made right is a [stream.ErrStream]: stop.
func EnsureConsumer(ctx context.Context, js jetstream.JetStream, ackWait time.Duration, maxAckPending int) (jetstream.Consumer, error) {
	want := jetstream.ConsumerConfig{
		Durable:       stream.Collector,
		Description:   "Gapwatch collectors",
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		MaxDeliver:    -1, // a message is stored or becomes a dead letter, however long ClickHouse is away
		AckWait:       ackWait,
		MaxAckPending: maxAckPending,
	}
	existing, err := js.Consumer(ctx, stream.Events, stream.Collector)
	if err == nil {
		have := existing.CachedInfo().Config
		if have.AckPolicy != want.AckPolicy || have.DeliverPolicy != want.DeliverPolicy || have.DeliverSubject != "" {
			return nil, fmt.Errorf("%w: consumer %s of %s is not a pull consumer of all messages with explicit acknowledgement: delete it",
				stream.ErrStream, stream.Collector, stream.Events)
		}
		want.AckWait = max(want.AckWait, have.AckWait)
		if have.MaxAckPending < 0 || have.MaxAckPending > want.MaxAckPending {
			want.MaxAckPending = have.MaxAckPending
		}
		want.Replicas, want.Metadata, want.MaxWaiting, want.PauseUntil = have.Replicas, have.Metadata, have.MaxWaiting, have.PauseUntil
	} else if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, fmt.Errorf("look up consumer %s: %w", stream.Collector, err)
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, stream.Events, want)
	if err != nil {
		return nil, fmt.Errorf("set up consumer %s: %w", stream.Collector, err)
	}
	return consumer, nil
}

// Fetch takes up to n messages or maxBytes, waiting up to wait for them. Together with an error it returns what
// arrived before it.
func Fetch(consumer jetstream.Consumer, n, maxBytes int, wait time.Duration) ([]jetstream.Msg, error) {
	result, err := consumer.Fetch(n, jetstream.FetchMaxWait(wait), jetstream.FetchMaxBytes(maxBytes))
	if err != nil {
		return nil, err
	}
	var messages []jetstream.Msg
	for msg := range result.Messages() {
		messages = append(messages, msg)
	}
	return messages, result.Error()
}

// source is the stream and its consumer as last seen. A stream may be deleted and made again under the same name while
// a collector runs: sequences then start anew, and only the creation time tells the two apart.
type source struct {
	mu       sync.Mutex
	stream   jetstream.Stream
	consumer jetstream.Consumer
	created  []time.Time // of the streams seen so far, oldest first
}

func (s *source) set(st jetstream.Stream, consumer jetstream.Consumer) (another bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream, s.consumer = st, consumer
	return s.saw(st.CachedInfo().Created)
}

func (s *source) get() (jetstream.Stream, jetstream.Consumer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream, s.consumer
}

// saw remembers a stream's creation and tells whether it replaced another one. The lock is held.
func (s *source) saw(created time.Time) (another bool) {
	if slices.ContainsFunc(s.created, created.Equal) {
		return false
	}
	s.created = append(s.created, created)
	slices.SortFunc(s.created, time.Time.Compare)
	return len(s.created) > 1
}

// creations asks which stream there is now, after a batch was fetched, and returns all that the batch may be from. A
// message of the next stream is thereby never taken for one of the last with the same sequence.
func (s *source) creations(ctx context.Context) ([]time.Time, bool, error) {
	st, _ := s.get()
	info, err := st.Info(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, false, fmt.Errorf("look up stream %s: %w", stream.Events, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	another := info != nil && s.saw(info.Created)
	return slices.Clone(s.created), another, nil
}

// stamp is the creation of the stream that took a message then: the newest one that was there before it. Where the
// message is older than all (a restored stream keeps its messages' times), it is the first.
func stamp(created []time.Time, taken time.Time) uint64 {
	for _, c := range slices.Backward(created) {
		if !taken.Before(c) {
			return uint64(c.UnixNano())
		}
	}
	return uint64(created[0].UnixNano())
}
