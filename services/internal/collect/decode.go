package collect

import (
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/stream"
)

// Message is one message of the stream and what became of it so far.
type Message struct {
	Stream    uint64 // creation time of the stream, nanoseconds since 1970
	Sequence  uint64
	Received  time.Time
	Delivered uint64 // 1 the first time
	Msg       jetstream.Msg

	// Sender and Request are where it came from, as its headers say; empty where they do not.
	Sender, Request string

	// Rejection is why it cannot be stored; nil for what can.
	Rejection *event.Rejection

	// Suspect is in how long the message comes again, where ClickHouse refuses the row and it is not known yet whose fault
	// that is; 0 for others.
	Suspect time.Duration

	// Letter is set where the message could be stored, and became a dead letter when it was delivered before.
	Letter bool
}

// newMessages reads what JetStream says about each message.
func newMessages(fetched []jetstream.Msg) ([]Message, error) {
	messages := make([]Message, len(fetched))
	for i, msg := range fetched {
		meta, err := msg.Metadata()
		if err != nil { // cannot happen with messages of a consumer
			return nil, fmt.Errorf("read a message's place in the stream: %w", err)
		}
		messages[i] = Message{Sequence: meta.Sequence.Stream, Received: meta.Timestamp, Delivered: meta.NumDelivered, Msg: msg}
	}
	return messages, nil
}

// Decode reads the messages with that many goroutines. It sets Rejection where a message can never be stored, and
// returns the rows of the others in the messages' order. A decoder without a clock judges each message as of when
// JetStream took it, so that a message that is delivered again, or to another collector, is judged alike: what was
// once a dead letter must not be stored later, below a position that was counted.
func Decode(decoder *event.Decoder, messages []Message, goroutines int) []Row {
	rows := make([]Row, len(messages))
	size := (len(messages) + goroutines - 1) / goroutines
	var wait sync.WaitGroup
	for from := 0; from < len(messages); from += size {
		wait.Go(func() {
			for i := from; i < min(from+size, len(messages)); i++ {
				m := &messages[i]
				now := m.Received
				if decoder.Now != nil {
					now = decoder.Now()
				}
				e, rejection := decoder.DecodeAt(m.Msg.Subject(), m.Msg.Data(), now)
				headers := m.Msg.Headers()
				m.Rejection = checkHeaders(headers, rejection)
				m.Sender, m.Request = origin(headers)
				rows[i] = Row{Event: e, Stream: m.Stream, Sequence: m.Sequence, Received: m.Received}
			}
		})
	}
	wait.Wait()
	kept := 0
	for i := range rows {
		if messages[i].Rejection == nil {
			if kept != i {
				rows[kept] = rows[i]
			}
			kept++
		}
	}
	return rows[:kept]
}

// checkHeaders looks for NHS numbers where the decoder does not: in the message's headers, which stay in the stream like
// its payload.
func checkHeaders(headers nats.Header, rejection *event.Rejection) *event.Rejection {
	if rejection != nil && rejection.Identifying || !headersHold(headers) {
		return rejection
	}
	if rejection == nil {
		rejection = &event.Rejection{Reason: event.NHSNumber, Field: "header", Detail: "must not hold ten digits that pass for an NHS number"}
	}
	rejection.Identifying, rejection.Payload = true, false
	return rejection
}

// origin is where a message came from, as far as its headers say so in the form that intake writes. Anything else could be
// anything, and is not passed on.
func origin(headers nats.Header) (sender, request string) {
	if values := headers[stream.HeaderSender]; len(values) == 1 && stream.IsSender(values[0]) && !event.HoldsNHSNumber([]byte(values[0])) {
		sender = values[0]
	}
	if values := headers[stream.HeaderRequest]; len(values) == 1 && stream.IsRequest(values[0]) {
		request = values[0]
	}
	return sender, request
}

func headersHold(headers nats.Header) bool {
	for name, values := range headers {
		if event.HoldsNHSNumber([]byte(name)) {
			return true
		}
		for _, value := range values {
			if event.HoldsNHSNumber([]byte(value)) {
				return true
			}
		}
	}
	return false
}
