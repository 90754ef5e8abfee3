// Package deadletter is an operator's way to the dead letters: list them, look at one, replay what can be stored now, discard
// what never will be.
//
// # Exactly once
//
// A replayed message is stored and counted once, whatever happens on the way. That does not rest on JetStream, which knows an
// id for two minutes only, but on the content: an event of the same source, record and version replaces itself in
// prevention.events and counts once, however often and by whichever way it comes in. So the order is: publish, have it
// confirmed, log it, and only then remove the letter. Cut off anywhere, a letter is still there, and replaying it again is
// harmless; so are two operators at once, and a sender who has sent the record again meanwhile. A newer version of the record
// that came in meanwhile stays the newest.
//
// The id under which a letter is published again is made from the letter's place and never is that of the rejected message:
// within two minutes JetStream would take it for the rejected one and drop it. A message that fails again becomes a new letter
// of its own, with another place and so another id; nothing replays it but an operator.
package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/stream"
)

// Entry is a dead letter and where it is kept.
type Entry struct {
	Sequence uint64 // in the stream of dead letters
	collect.Letter
}

// NotALetter is the reason of what is in the stream and is no dead letter. It can be discarded and nothing else.
const NotALetter event.Reason = "not a letter"

// Replayable tells whether the letter has its message with it. Otherwise the sender must send it again.
func (e Entry) Replayable() bool { return e.Payload != "" && e.Subject != "" }

// From is the id of the sender, or [stream.Direct] where none is known.
func (e Entry) From() string {
	if e.Sender == "" {
		return stream.Direct
	}
	return e.Sender
}

var eventSubject = regexp.MustCompile(`^prevention\.events\.[a-z-]+\.([a-z0-9][a-z0-9-]{0,63})$`)

// Programme is the programme that the message was published for, by its subject. It need not be one that is known; empty
// where the subject does not say it.
func (e Entry) Programme() string {
	if m := eventSubject.FindStringSubmatch(e.Subject); m != nil {
		return m[1]
	}
	return ""
}

// Filter chooses letters. What is not set chooses all.
type Filter struct {
	Reason    string    // as in the letter or as in its subject: "no season", "no-season"
	Sender    string    // or [stream.Direct]
	Programme string    // see [Entry.Programme]
	From, To  time.Time // when JetStream took the message: From and later, before To
	Sequences []uint64  // of the letters
}

// All tells whether the filter chooses every letter.
func (f Filter) All() bool {
	return f.Reason == "" && f.Sender == "" && f.Programme == "" && f.From.IsZero() && f.To.IsZero() && len(f.Sequences) == 0
}

func (f Filter) chooses(e Entry) bool {
	switch {
	case f.Reason != "" && slug(f.Reason) != slug(string(e.Reason)):
	case f.Sender != "" && f.Sender != e.From():
	case f.Programme != "" && f.Programme != e.Programme():
	case !f.From.IsZero() && e.Received.Before(f.From):
	case !f.To.IsZero() && !e.Received.Before(f.To):
	default:
		return true
	}
	return false
}

func slug(reason string) string { return strings.ReplaceAll(strings.ToLower(reason), " ", "-") }

// Box is the stream of dead letters as it was when it was opened.
type Box struct {
	js      jetstream.JetStream
	stream  jetstream.Stream
	created time.Time
	last    uint64
}

// ErrNoLetters says that there is no stream of dead letters: stop.
var ErrNoLetters = errors.New("the stream " + stream.DeadLetters + " is not there: a collector makes it when it starts")

// ErrNotThere says that a letter is not there (any more): stop.
var ErrNotThere = errors.New("there is no such dead letter")

// timeout is how long NATS may take to answer once.
const timeout = 10 * time.Second

// Open looks the stream up. An error other than [ErrNoLetters] may pass: retry.
func Open(ctx context.Context, js jetstream.JetStream) (*Box, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	st, err := js.Stream(ctx, stream.DeadLetters)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, ErrNoLetters
	}
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", stream.DeadLetters, err)
	}
	info := st.CachedInfo()
	return &Box{js: js, stream: st, created: info.Created, last: info.State.LastSeq}, nil
}

// pageSize is how many letters are read at once.
const pageSize = 500

// Each calls do with the letters that a filter chooses, oldest first. Those that came after the box was opened are not among
// them, so that what is replayed and fails again is not met again. An error of do ends it; others may pass: retry.
func (b *Box) Each(ctx context.Context, f Filter, do func(Entry) error) error {
	if len(f.Sequences) > 0 {
		for _, sequence := range f.Sequences {
			e, err := b.Get(ctx, sequence)
			if err != nil {
				return err
			}
			if f.chooses(e) {
				if err := do(e); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for after := uint64(0); after < b.last; {
		messages, left, err := stream.Read(ctx, b.js, stream.DeadLetters, stream.DeadLetterSubjects, after, pageSize)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Sequence > b.last {
				return nil
			}
			after = m.Sequence
			if e := entry(m); f.chooses(e) {
				if err := do(e); err != nil {
					return err
				}
			}
		}
		if left == 0 || len(messages) == 0 {
			return nil
		}
	}
	return nil
}

// Get is one letter. An error other than [ErrNotThere] may pass: retry.
func (b *Box) Get(ctx context.Context, sequence uint64) (Entry, error) {
	if sequence == 0 {
		return Entry{}, fmt.Errorf("%w: 0", ErrNotThere)
	}
	messages, _, err := stream.Read(ctx, b.js, stream.DeadLetters, stream.DeadLetterSubjects, sequence-1, 1)
	if err != nil {
		return Entry{}, err
	}
	if len(messages) == 0 || messages[0].Sequence != sequence {
		return Entry{}, fmt.Errorf("%w: %d", ErrNotThere, sequence)
	}
	return entry(messages[0]), nil
}

func entry(m stream.Stored) Entry {
	e := Entry{Sequence: m.Sequence}
	if err := json.Unmarshal(m.Data, &e.Letter); err != nil || e.Reason == "" {
		e.Letter = collect.Letter{Reason: NotALetter, Field: "payload", Detail: "must be a dead letter", Received: m.Time, Size: len(m.Data)}
	}
	return e
}

// remove removes letters, of those that are still there, and tells how many there were. With overwrite their bytes go from the
// disk too.
func (b *Box) remove(ctx context.Context, entries []Entry, overwrite bool) (removed int, err error) {
	if err := b.same(ctx); err != nil {
		return 0, err
	}
	remove := b.stream.DeleteMsg
	if overwrite {
		remove = b.stream.SecureDeleteMsg
	}
	for _, e := range entries {
		err := b.within(ctx, func(ctx context.Context) error { return remove(ctx, e.Sequence) })
		if err == nil {
			removed++
			continue
		}
		if _, get := b.Get(ctx, e.Sequence); errors.Is(get, ErrNotThere) {
			continue // somebody else removed it
		}
		return removed, fmt.Errorf("remove dead letter %d: %w", e.Sequence, err)
	}
	return removed, nil
}

// same makes sure that the stream was not deleted and made again: its sequences would be other letters'.
func (b *Box) same(ctx context.Context) error {
	return b.within(ctx, func(ctx context.Context) error {
		info, err := b.stream.Info(ctx)
		if err != nil {
			return fmt.Errorf("look up stream %s: %w", stream.DeadLetters, err)
		}
		if !info.Created.Equal(b.created) {
			return fmt.Errorf("stream %s was deleted and made again meanwhile: nothing more was removed", stream.DeadLetters)
		}
		return nil
	})
}

func (b *Box) within(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return do(ctx)
}
