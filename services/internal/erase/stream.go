package erase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/stream"
)

// settled waits until every message that the stream of events has by now is acknowledged, and returns the sequence of the
// last of them. A dry run does not wait.
func (r *run) settled(ctx context.Context) (last uint64, err error) {
	events, err := r.JetStream.Stream(ctx, stream.Events)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", stream.Events, err)
	}
	last = events.CachedInfo().State.LastSeq
	if r.DryRun || last == 0 {
		return last, nil
	}
	quiet, deadline := 0, time.Now().Add(r.Patience)
	for {
		consumer, err := events.Consumer(ctx, stream.Collector)
		switch {
		case err == nil:
			reading := consumer.CachedInfo()
			idle := reading.NumPending == 0 && reading.NumAckPending == 0
			// A message that expired leaves the floor behind where it was; then a second look must find nothing either, since
			// the server tells a consumer of new messages a moment later.
			if quiet++; !idle {
				quiet = 0
			}
			if reading.AckFloor.Stream >= last || idle && (reading.Delivered.Stream >= last || quiet > 2) {
				return last, nil
			}
		case !errors.Is(err, jetstream.ErrConsumerNotFound):
			return 0, fmt.Errorf("look up consumer %s: %w", stream.Collector, err)
		}
		if time.Now().After(deadline) {
			return 0, ErrCollectors
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// reader is the name of the consumer that an erasure reads a stream with: the only one that its user of NATS may make.
const reader = "erase"

const (
	readMessages = 1000
	readWait     = 5 * time.Second
)

// errGap says that the server delivered a message that did not arrive.
var errGap = errors.New("a message was lost on the way")

// sweep removes the people's messages from a stream, from one sequence to another (0: all there are), counts them, and says how
// many they were.
func (r *run) sweep(ctx context.Context, name string, from, to uint64, count *uint64) (removed uint64, err error) {
	st, err := r.JetStream.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", name, err)
	}
	if to == 0 {
		to = st.CachedInfo().State.LastSeq
	}
	for try := 1; ; try++ {
		var found []uint64
		found, err = r.find(ctx, name, from, to)
		if errors.Is(err, errGap) && try < 5 {
			continue
		}
		if err != nil {
			return 0, err
		}
		if r.DryRun {
			*count += uint64(len(found))
			return 0, nil
		}
		if len(found) > 0 {
			if err := r.begin(ctx); err != nil {
				return 0, err
			}
		}
		for _, sequence := range found {
			if err := r.checkpoint("message"); err != nil {
				return removed, err
			}
			err := st.SecureDeleteMsg(ctx, sequence)
			if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) && !strings.Contains(err.Error(), "no message found") {
				return removed, fmt.Errorf("remove a message from %s: %w", name, err)
			}
			removed++
			*count++
		}
		return removed, nil
	}
}

// find reads a stream from one sequence to another and returns the sequences of the people's messages.
func (r *run) find(ctx context.Context, name string, from, to uint64) (found []uint64, err error) {
	if from > to {
		return nil, nil
	}
	consumer, err := r.JetStream.CreateConsumer(ctx, name, jetstream.ConsumerConfig{
		Name: reader, Description: "reads once, for an erasure", DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: time.Minute, Replicas: 1,
		Metadata: map[string]string{"run": r.id.String()}, // so that two runs do not share one, each with half of the messages
	})
	if errors.Is(err, jetstream.ErrConsumerExists) || errors.Is(err, jetstream.ErrConsumerCreate) {
		return nil, ErrBusy
	}
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", name, err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if gone := r.JetStream.DeleteConsumer(ctx, name, reader); gone != nil && err == nil {
			err = fmt.Errorf("end reading stream %s: %w", name, gone)
		}
	}()
	who := needles(r.people)
	var arrived uint64
	for left := consumer.CachedInfo().NumPending; left > 0; {
		batch, err := consumer.Fetch(int(min(left, readMessages)), jetstream.FetchMaxWait(readWait))
		if err != nil {
			return nil, fmt.Errorf("read stream %s: %w", name, err)
		}
		before := arrived
		for msg := range batch.Messages() {
			meta, err := msg.Metadata()
			if err != nil {
				return nil, fmt.Errorf("read stream %s: %w", name, err)
			}
			if arrived++; meta.Sequence.Consumer != arrived {
				return nil, errGap
			}
			if left = meta.NumPending; meta.Sequence.Stream >= to {
				left = 0
			}
			if meta.Sequence.Stream <= to && (who.in(msg.Headers(), msg.Data()) || r.superseded(msg.Data())) {
				found = append(found, meta.Sequence.Stream)
			}
		}
		if err := batch.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) {
			return nil, fmt.Errorf("read stream %s: %w", name, err)
		}
		if arrived == before && left > 0 {
			info, err := consumer.Info(ctx)
			if err != nil {
				return nil, fmt.Errorf("read stream %s: %w", name, err)
			}
			if info.Delivered.Consumer > arrived {
				return nil, errGap
			}
			left = info.NumPending // the last ones may have expired meanwhile
		}
	}
	return found, nil
}

// superseded tells whether a message is an earlier version, of somebody else's, of a record that goes with all its versions.
func (r *run) superseded(data []byte) bool {
	if len(r.shared) == 0 {
		return false
	}
	var e struct {
		Source string
		Data   struct{ Record string }
	}
	if json.Unmarshal(data, &e) != nil {
		return false
	}
	_, is := r.shared[event.NewRecordID(e.Source, e.Data.Record)]
	return is
}

// pseudonyms are people as they are written. A message that has one anywhere is about its person: 128 bits are not met by
// chance.
type pseudonyms [][]byte

func needles(people map[event.Pseudonym]struct{}) pseudonyms {
	var all pseudonyms
	for p := range people {
		all = append(all, []byte(p.String()))
	}
	return all
}

// in tells whether a message has one of the pseudonyms, in small letters or capitals, escaped as JSON allows or not.
func (p pseudonyms) in(headers nats.Header, data []byte) bool {
	for name, values := range headers {
		for _, value := range append(values, name) {
			if p.inText([]byte(value)) {
				return true
			}
		}
	}
	return p.inText(data) || bytes.IndexByte(data, '\\') >= 0 && p.inJSON(data, 3)
}

func (p pseudonyms) inText(text []byte) bool {
	text = bytes.ToLower(text)
	for _, one := range p {
		if bytes.Contains(text, one) {
			return true
		}
	}
	return false
}

// inJSON looks at JSON's texts, and at JSON in them: a dead letter has its payload as a text.
func (p pseudonyms) inJSON(data []byte, depth int) bool {
	var document any
	if depth == 0 || json.Unmarshal(data, &document) != nil {
		return false
	}
	var look func(any) bool
	look = func(v any) bool {
		switch v := v.(type) {
		case string:
			return p.inText([]byte(v)) || strings.Contains(v, `\`) && p.inJSON([]byte(v), depth-1)
		case []any:
			for _, part := range v {
				if look(part) {
					return true
				}
			}
		case map[string]any:
			for key, part := range v {
				if p.inText([]byte(key)) || look(part) {
					return true
				}
			}
		}
		return false
	}
	return look(document)
}
