package collect

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/stream"
)

// NotStorable is the reason of an event that is valid and that ClickHouse refuses all the same.
const NotStorable event.Reason = "not storable"

// Letter is a dead letter: what is kept of a message that can never be stored. It is published as JSON to
// prevention.deadletter.<reason, with dashes for spaces>.
type Letter struct {
	Reason event.Reason `json:"reason"`
	Field  string       `json:"field"`
	Detail string       `json:"detail"` // the rule that was broken

	Stream        string    `json:"stream"`        // its name
	StreamCreated time.Time `json:"streamCreated"` // tells streams of one name apart
	Sequence      uint64    `json:"sequence"`
	Received      time.Time `json:"received"` // when JetStream took it
	Size          int       `json:"size"`     // of the payload, bytes

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
		Received: m.Received.UTC(), Size: len(payload),
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
// after a crash makes no second letter.
func (l Letter) message() (*nats.Msg, error) {
	data, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("write a dead letter: %w", err)
	}
	id := fmt.Sprintf("%d/%d", l.StreamCreated.UnixNano(), l.Sequence)
	return stream.Message(stream.DeadLetterPrefix+slug(l.Reason), id, data), nil
}

// slug is the reason as a part of a subject.
func slug(reason event.Reason) string {
	return strings.ToLower(strings.ReplaceAll(string(reason), " ", "-"))
}
