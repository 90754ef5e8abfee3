// Package rejection is what a sender is told of what it sent and was refused: at the door, or later by the collector. Each
// sender has a subject of its own, prevention.rejection.<sender>, and reads nobody else's.
//
// Rejections are a convenience and no record. The stream keeps them for 30 days and at most 100,000 of a sender, and the
// oldest go first. What could not be stored is on record as a dead letter.
package rejection

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/stream"
)

// Rejection says why one item of a sender's request was refused. It holds nothing that the sender sent but the place.
type Rejection struct {
	Sender  string `json:"sender"`            // see [stream.IsSender]
	Request string `json:"request,omitempty"` // the request's id, see [stream.IsRequest]
	Door    Door   `json:"door"`

	// Item is the item's place in its request, counted as the door counts for the sender: a row of a file (the header is row
	// 1), an entry of a bundle, a line, an element of a batch. 0 where it is about the whole request, or not known.
	Item uint64 `json:"item,omitempty"`

	// Record is the record's HMAC, 32 lower-case hex digits, as in the events that intake publishes. Empty where not known.
	Record string `json:"record,omitempty"`

	Reason string    `json:"reason"` // one of a closed list of the door's or of [event.Reasons]
	Field  string    `json:"field"`  // where, in the sender's own terms; never a value
	Rule   string    `json:"rule"`   // the rule that is broken; never a value
	At     time.Time `json:"at"`     // when it was refused
}

// Door is where something was refused.
type Door string

// The doors.
const (
	Events    Door = "events"    // POST /v1/events
	FHIR      Door = "fhir"      // POST /v1/fhir
	CSV       Door = "csv"       // POST /v1/csv
	Collector Door = "collector" // behind all of them: it was accepted there, and is a dead letter
)

// MaxText is how many bytes of reason, field and rule are kept.
const MaxText = 200

// Subject is where a sender's rejections are.
func Subject(sender string) string { return stream.RejectionPrefix + sender }

// Message is the rejection ready to be published. Publishing it again may list it twice, with the same request and item;
// only what the collector publishes is recognised as the same, by its id. Reason, field and rule are cut to [MaxText], and
// what in them could be an NHS number becomes "other". An error means that sender, request, record or door are none: stop.
func (r Rejection) Message() (*nats.Msg, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	r.Reason, r.Field, r.Rule, r.At = clean(r.Reason), clean(r.Field), clean(r.Rule), r.At.UTC()
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write a rejection: %w", err)
	}
	return &nats.Msg{Subject: Subject(r.Sender), Data: data}, nil
}

func (r Rejection) check() error {
	switch {
	case !stream.IsSender(r.Sender) || event.HoldsNHSNumber([]byte(r.Sender)):
		return errors.New("rejection: sender is no sender's id")
	case r.Request != "" && !stream.IsRequest(r.Request):
		return errors.New("rejection: request is no request id")
	case r.Record != "" && !IsRecord(r.Record):
		return errors.New("rejection: record is not 32 lower-case hex digits")
	case r.Door != Events && r.Door != FHIR && r.Door != CSV && r.Door != Collector:
		return errors.New("rejection: door is none")
	}
	return nil
}

// IsRecord tells whether text is a record as intake writes it: 32 lower-case hex digits.
func IsRecord(text string) bool {
	return len(text) == 32 && strings.Trim(text, "0123456789abcdef") == ""
}

// clean makes sure that what is meant to be our own words is short and identifies nobody.
func clean(text string) string {
	if len(text) > MaxText {
		text = strings.ToValidUTF8(text[:MaxText], "")
	}
	if event.HoldsNHSNumber([]byte(text)) {
		return "other"
	}
	return text
}
