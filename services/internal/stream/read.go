package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Stored is a message as a stream keeps it.
type Stored struct {
	Subject  string
	Sequence uint64
	Time     time.Time // when the stream took it
	Header   nats.Header
	Data     []byte
}

// readTimeout is how long [Read] waits for the next message where ctx does not say less.
const readTimeout = 5 * time.Second

// readBytes is about how much one [Read] asks for at most.
const readBytes = 8 << 20

// Read returns messages of a stream with sequences above after, in their order: at most limit of those whose subject matches
// (wildcards allowed), fewer where they are large. It also tells how many are left beyond them. It is one request, makes no
// consumer and leaves nothing behind, so it is cheap and needs no right but to publish to $JS.API.DIRECT.GET.<stream>.
// An error means that nothing is known; it may pass: retry. Without that right it is a time-out.
func Read(ctx context.Context, js jetstream.JetStream, name, subject string, after uint64, limit int) (messages []Stored, left uint64, err error) {
	if limit < 1 {
		return nil, 0, fmt.Errorf("read %s: limit %d is not positive", name, limit)
	}
	if after == math.MaxUint64 {
		return nil, 0, nil
	}
	request, err := json.Marshal(struct {
		From    uint64 `json:"seq"`
		Subject string `json:"next_by_subj"`
		Batch   int    `json:"batch"`
		Bytes   int    `json:"max_bytes"`
	}{after + 1, subject, limit, readBytes})
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", name, err)
	}
	nc := js.Conn()
	inbox := nc.NewRespInbox()
	answers, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", name, err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	if err := nc.PublishRequest("$JS.API.DIRECT.GET."+name, inbox, request); err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", name, err)
	}
	for {
		msg, err := next(ctx, answers)
		if err != nil {
			return nil, 0, fmt.Errorf("read %s: %w", name, err)
		}
		switch status := msg.Header.Get("Status"); status {
		case "":
			stored, err := asStored(msg)
			if err != nil {
				return nil, 0, fmt.Errorf("read %s: %w", name, err)
			}
			messages = append(messages, stored)
		case "204": // that was all of the batch
			left, err := strconv.ParseUint(last(msg.Header, "Nats-Num-Pending"), 10, 64)
			if err != nil {
				return nil, 0, fmt.Errorf("read %s: what is left: %w", name, err)
			}
			return messages, left, nil
		case "404": // there is none
			return nil, 0, nil
		case "503":
			return nil, 0, fmt.Errorf("read %s: %w", name, nats.ErrNoResponders)
		default:
			return nil, 0, fmt.Errorf("read %s: NATS answers with status %s %s", name, status, msg.Header.Get("Description"))
		}
	}
}

func next(ctx context.Context, answers *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return answers.NextMsgWithContext(ctx)
}

func asStored(msg *nats.Msg) (Stored, error) {
	sequence, err := strconv.ParseUint(last(msg.Header, jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return Stored{}, errors.New("NATS sends a message without its sequence: nats-server 2.11 or later is needed")
	}
	taken, err := time.Parse(time.RFC3339Nano, last(msg.Header, jetstream.TimeStampHeaer))
	if err != nil {
		return Stored{}, fmt.Errorf("message %d: %w", sequence, err)
	}
	return Stored{Subject: last(msg.Header, jetstream.SubjectHeader), Sequence: sequence, Time: taken, Header: msg.Header, Data: msg.Data}, nil
}

// last is a header's last value: the server adds its own after those that the message came with.
func last(header nats.Header, name string) string {
	values := header[name]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// Newest is the sequence of the newest message of a subject (no wildcards), 0 if there is none. It needs the right to publish
// to $JS.API.DIRECT.GET.<stream>. An error may pass: retry.
func Newest(ctx context.Context, js jetstream.JetStream, name, subject string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	request, err := json.Marshal(map[string]string{"last_by_subj": subject})
	if err != nil {
		return 0, fmt.Errorf("newest of %s: %w", name, err)
	}
	answer, err := js.Conn().RequestWithContext(ctx, "$JS.API.DIRECT.GET."+name, request)
	if err != nil {
		return 0, fmt.Errorf("newest of %s: %w", name, err)
	}
	switch status := answer.Header.Get("Status"); status {
	case "":
		stored, err := asStored(answer)
		return stored.Sequence, err
	case "404":
		return 0, nil
	default:
		return 0, fmt.Errorf("newest of %s: NATS answers with status %s %s", name, status, answer.Header.Get("Description"))
	}
}
