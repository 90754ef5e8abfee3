package collect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/stream"
)

// NotStorable is the reason of an event that is valid and that ClickHouse refuses all the same.
const NotStorable event.Reason = "not storable"

// Letter is a dead letter: what is kept of a message that can never be stored. It is published as JSON to
// prevention.deadletter.<sender>.<reason, with dashes for spaces>; the sender is "direct" where none is known.
type Letter struct {
	Reason event.Reason `json:"reason"`
	Field  string       `json:"field"`
	Detail string       `json:"detail"` // the rule that was broken

	Stream        string    `json:"stream"`        // its name
	StreamCreated time.Time `json:"streamCreated"` // tells streams of one name apart
	Sequence      uint64    `json:"sequence"`
	Received      time.Time `json:"received"` // when JetStream took it
	Size          int       `json:"size"`     // of the payload, bytes

	// Sender and Request are what the message's headers say of where it came from. They are left out where the headers do not
	// say it, or not in the form that intake writes.
	Sender  string `json:"sender,omitempty"`
	Request string `json:"request,omitempty"`

	// Subject and SHA256 (of the payload, in hex) let the sender recognise the message. They are left out where
	// something in it looks like an NHS number: there are only a thousand million of those, so whoever knows or guesses
	// the rest of the message finds the number by trying them all against the hash.
	Subject string `json:"subject,omitempty"`
	SHA256  string `json:"sha256,omitempty"`

	// Payload is the message as it came. It is kept only if it parsed, its person is a pseudonym and nothing in it
	// looks like an NHS number: such a letter can be published again once what was wrong elsewhere is repaired.
	Payload string `json:"payload,omitempty"`
}

// NewLetter is the dead letter of a rejected message.
func NewLetter(m *Message) Letter {
	payload := m.Msg.Data()
	letter := Letter{
		Reason: m.Rejection.Reason, Field: m.Rejection.Field, Detail: m.Rejection.Detail,
		Stream: stream.Events, StreamCreated: time.Unix(0, int64(m.Stream)).UTC(), Sequence: m.Sequence,
		Received: m.Received.UTC(), Size: len(payload), Sender: m.Sender, Request: m.Request,
	}
	if m.Rejection.Identifying {
		return letter
	}
	sum := sha256.Sum256(payload)
	letter.Subject, letter.SHA256 = m.Msg.Subject(), hex.EncodeToString(sum[:])
	if m.Rejection.Payload {
		letter.Payload = string(payload)
	}
	return letter
}

// message is the letter ready to be published. Its id is the rejected message's place, so that publishing it again
// after a crash makes no second letter. A letter that the server would not take for its size goes without the payload.
func (l Letter) message(limit int64) (*nats.Msg, error) {
	data, err := l.encode()
	if err == nil && int64(len(data))+letterHeaders > limit && l.Payload != "" {
		l.Payload = ""
		data, err = l.encode()
	}
	if err != nil {
		return nil, fmt.Errorf("write a dead letter: %w", err)
	}
	return stream.Message(l.subject(), l.id(), data), nil
}

// letterHeaders is more than a letter's headers take, which count as a part of the message.
const letterHeaders = 1 << 10

// encode writes the letter. Letters are no web pages: written as such, a payload could be six times as long.
func (l Letter) encode() ([]byte, error) {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(l)
	return bytes.TrimRight(data.Bytes(), "\n"), err
}

func (l Letter) subject() string {
	sender := l.Sender
	if sender == "" {
		sender = stream.Direct
	}
	return stream.DeadLetterPrefix + sender + "." + slug(l.Reason)
}

func (l Letter) id() string { return fmt.Sprintf("%d/%d", l.StreamCreated.UnixNano(), l.Sequence) }

// slug is the reason as a part of a subject.
func slug(reason event.Reason) string {
	return strings.ToLower(strings.ReplaceAll(string(reason), " ", "-"))
}

// rejection is what the sender is told, ready to be published; nil where no sender is known. Its id is the letter's, so that
// the sender is told once.
func (l Letter) rejection() (*nats.Msg, error) {
	if l.Sender == "" {
		return nil, nil
	}
	msg, err := rejection.Rejection{
		Sender: l.Sender, Request: l.Request, Door: rejection.Collector, Record: l.record(),
		Reason: string(l.Reason), Field: l.Field, Rule: l.Detail, At: l.Received,
	}.Message()
	if err != nil {
		return nil, err
	}
	msg.Header = nats.Header{jetstream.MsgIDHeader: {l.id()}}
	return msg, nil
}

// record is the record of a payload that is kept, if it is one that intake wrote; otherwise it is empty.
func (l Letter) record() string {
	var payload struct {
		Data struct {
			Record string `json:"record"`
		} `json:"data"`
	}
	if json.Unmarshal([]byte(l.Payload), &payload) != nil || !rejection.IsRecord(payload.Data.Record) {
		return ""
	}
	return payload.Data.Record
}
