package rejection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/stream"
)

// Publish publishes a rejection and waits until the stream has it. Errors may pass: retry. A door that has many uses
// [Rejection.Message] with a [stream.Publisher].
func Publish(ctx context.Context, js jetstream.JetStream, r Rejection) error {
	msg, err := r.Message()
	if err != nil {
		return err
	}
	_, err = stream.Publish(ctx, js, msg)
	return err
}

// Page is a part of a sender's rejections, oldest first.
type Page struct {
	Rejections []Listed `json:"rejections"` // never null
	Next       uint64   `json:"next"`       // to ask for what comes after this page
	More       bool     `json:"more"`       // whether there is more already

	Unreadable []uint64 `json:"-"` // places of what this page leaves out, since it is none that we wrote
}

// Listed is a rejection and its place in the list. Places grow; those of one sender have gaps.
type Listed struct {
	Place uint64 `json:"place"`
	Rejection
}

// MaxLimit is how many rejections a page may have.
const MaxLimit = 1000

// List returns up to limit (1 to [MaxLimit]) of a sender's rejections after a place, 0 for the start. It reads that sender's
// subject and no other, in one request that leaves nothing behind. A place beyond the newest is of a stream that was deleted and made again:
// then it starts anew. One that cannot be read is passed over. A sender or limit that is none is an [ErrAsked]: reject. Other errors may pass: retry.
func List(ctx context.Context, js jetstream.JetStream, sender string, after uint64, limit int) (Page, error) {
	if !stream.IsSender(sender) {
		return Page{}, fmt.Errorf("%w: no sender's id", ErrAsked)
	}
	if limit < 1 || limit > MaxLimit {
		return Page{}, fmt.Errorf("%w: limit is not between 1 and %d", ErrAsked, MaxLimit)
	}
	messages, left, err := stream.Read(ctx, js, stream.Rejections, Subject(sender), after, limit)
	if err != nil {
		return Page{}, err
	}
	if len(messages) == 0 && after > 0 {
		newest, err := stream.Newest(ctx, js, stream.Rejections, Subject(sender))
		if err != nil {
			return Page{}, err
		}
		if 0 < newest && newest < after {
			return List(ctx, js, sender, 0, limit)
		}
	}
	page := Page{Rejections: make([]Listed, 0, len(messages)), Next: after, More: left > 0}
	for _, m := range messages {
		page.Next = m.Sequence
		listed := Listed{Place: m.Sequence}
		if err := json.Unmarshal(m.Data, &listed.Rejection); err != nil {
			page.Unreadable = append(page.Unreadable, m.Sequence)
			continue
		}
		page.Rejections = append(page.Rejections, listed)
	}
	return page, nil
}

// ErrAsked is wrapped by errors of what was asked for. Asking again cannot help.
var ErrAsked = errors.New("list rejections")
