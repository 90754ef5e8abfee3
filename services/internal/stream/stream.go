// Package stream is Gapwatch's side of NATS JetStream: which streams there are and how they are set up, connecting,
// publishing with every message confirmed, and a server inside the process for laptops and tests.
package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go/jetstream"
)

// The streams and the subjects each one takes. prevention.events.<kind>.<programme> is an event,
// prevention.deadletter.<sender, or direct>.<reason> what became of one that cannot be stored, prevention.rejection.<sender> what
// that sender is told of what it sent and was refused, prevention.gap.<programme> a change of verdict.
const (
	Events             = "PREVENTION_EVENTS"
	EventSubjects      = "prevention.events.>"
	DeadLetters        = "PREVENTION_DEADLETTER"
	DeadLetterSubjects = "prevention.deadletter.>"
	DeadLetterPrefix   = "prevention.deadletter."
	Rejections         = "PREVENTION_REJECTION"
	RejectionSubjects  = "prevention.rejection.>"
	RejectionPrefix    = "prevention.rejection."
	Gap                = "PREVENTION_GAP"
	GapSubjects        = "prevention.gap.>"
	GapPrefix          = "prevention.gap."
)

// Collector is the durable consumer of [Events] that every collector shares.
const Collector = "collector"

// Options sizes the streams. They are what a new stream starts with: see [Ensure] for one that exists.
type Options struct {
	MaxAge          time.Duration // how long an event stays in the stream; 0 means 30 days
	MaxBytes        int64         // size at which publishing events is refused; 0 means 10 GiB, -1 no limit
	DeadLetterBytes int64         // size at which dead letters are refused and collectors stop; 0 means 1 GiB, -1 no limit
	GapBytes        int64         // size at which verdicts are refused and wait in ClickHouse; 0 means 256 MiB, -1 no limit
	Replicas        int           // copies in a cluster: 1, 3 or 5; 0 means 1
	// Duplicates is how long a second publish with the same Nats-Msg-Id is refused as a duplicate; 0 means 2 minutes.
	// It only saves work: what comes again later is stored once all the same. The server keeps every id of the window
	// in memory, about 100 bytes each.
	Duplicates time.Duration
}

// How long a dead letter's Nats-Msg-Id is remembered: longer than any collector is likely to be down between
// publishing a dead letter and saying so, since that publish is then repeated. Dead letters are few.
const deadLetterDuplicates = 24 * time.Hour

const (
	// How long a verdict's Nats-Msg-Id is remembered: longer than any announcer is likely to be down between publishing
	// a verdict and noting that it did, since that publish is then repeated. Verdicts are few.
	gapDuplicates = 24 * time.Hour
	// How long a verdict stays: whoever subscribes sees the whole last season. prevention.verdict_log keeps them all.
	gapAge = 400 * 24 * time.Hour
)

// Rejections are a sender's to read, and are no record: the dead letters are. So the oldest go when there are too many, and
// those of one sender go first, lest a broken one take from the others.
const (
	rejectionAge        = 30 * 24 * time.Hour
	rejectionBytes      = 256 << 20
	rejectionsOfASender = 100_000
)

// Validate says which option is out of its range.
func (o Options) Validate() error {
	switch {
	case o.MaxAge < 0:
		return errors.New("stream options: MaxAge is negative")
	case o.MaxBytes < -1:
		return errors.New("stream options: MaxBytes is below -1")
	case o.DeadLetterBytes < -1:
		return errors.New("stream options: DeadLetterBytes is below -1")
	case o.GapBytes < -1:
		return errors.New("stream options: GapBytes is below -1")
	case o.Replicas < 0 || o.Replicas > 5:
		return errors.New("stream options: Replicas is not between 1 and 5")
	case o.Duplicates < 0:
		return errors.New("stream options: Duplicates is negative")
	}
	return nil
}

func (o Options) configs() []jetstream.StreamConfig {
	orElse := func(v, d int64) int64 {
		if v == 0 {
			return d
		}
		return v
	}
	maxAge := time.Duration(orElse(int64(o.MaxAge), int64(30*24*time.Hour)))
	events := jetstream.StreamConfig{
		Name:        Events,
		Description: "Prevention events as published. A buffer: ClickHouse is the record.",
		Subjects:    []string{EventSubjects},
		MaxAge:      maxAge,
		MaxBytes:    orElse(o.MaxBytes, 10<<30),
		// The server takes no window longer than MaxAge.
		Duplicates: min(time.Duration(orElse(int64(o.Duplicates), int64(2*time.Minute))), maxAge),
	}
	dead := jetstream.StreamConfig{
		Name:        DeadLetters,
		Description: "Messages that can never be stored, each with its reason. Stays until somebody removes it.",
		Subjects:    []string{DeadLetterSubjects},
		MaxBytes:    orElse(o.DeadLetterBytes, 1<<30),
		Duplicates:  deadLetterDuplicates,
	}
	gap := jetstream.StreamConfig{
		Name:        Gap,
		Description: "Changes of verdict on the gap in uptake. The record of them is prevention.verdict_log in ClickHouse.",
		Subjects:    []string{GapSubjects},
		MaxAge:      gapAge,
		MaxBytes:    orElse(o.GapBytes, 256<<20),
		Duplicates:  gapDuplicates,
	}
	rejections := jetstream.StreamConfig{
		Name:              Rejections,
		Description:       "What senders are told of what they sent and was refused. A convenience: the oldest go when there are too many.",
		Subjects:          []string{RejectionSubjects},
		MaxAge:            rejectionAge,
		MaxBytes:          rejectionBytes,
		MaxMsgsPerSubject: rejectionsOfASender,
		Duplicates:        deadLetterDuplicates,
		Discard:           jetstream.DiscardOld,
	}
	configs := []jetstream.StreamConfig{events, dead, gap, rejections}
	for i := range configs {
		c := &configs[i]
		c.Retention = jetstream.LimitsPolicy
		c.Storage = jetstream.FileStorage
		if c.Name != Rejections {
			c.Discard = jetstream.DiscardNew // full means that publishing fails, never that the oldest go unread
			c.MaxMsgsPerSubject = -1
		}
		c.MaxMsgs, c.MaxConsumers = -1, -1
		c.MaxMsgSize = -1 // the server's max_payload; an event over 1 MB is the collector's to refuse, with a reason
		c.Replicas = int(orElse(int64(o.Replicas), 1))
		c.AllowDirect = true
	}
	return configs
}

// Ensure creates the streams, or brings those that exist to what Gapwatch relies on: their subjects, Discard New (Discard Old
// for rejections), no limit by count (but for rejections of one sender), removable messages. Sizes, ages, windows and replicas that an operator set higher stay as they are,
// and nothing is ever lowered. It may be called again and by several services with the same options at once. A stream that cannot be made
// right (another storage or retention, DenyDelete, events that begin after sequence 1) is an [ErrStream]: stop. Other errors may pass: retry. An error that is of the
// stream of rejections alone is an [ErrRejections] besides.
func Ensure(ctx context.Context, js jetstream.JetStream, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	for _, want := range o.configs() {
		if err := ensure(ctx, js, want); err != nil {
			if want.Name == Rejections { // the last one
				err = fmt.Errorf("%w: %w", ErrRejections, err)
			}
			return err
		}
	}
	return nil
}

// ErrRejections is wrapped by errors that are of the stream of rejections alone: events go on without.
var ErrRejections = errors.New("what senders are told")

// OnlyRejections tells whether an error of [Ensure] says that only the stream of rejections cannot be made right: that is no
// reason to store or publish nothing.
func OnlyRejections(err error) bool {
	return errors.Is(err, ErrRejections) && errors.Is(err, ErrStream)
}

// ErrStream is wrapped by errors that say that a stream's set-up must be repaired by hand. Nothing works until then.
var ErrStream = errors.New("stream set-up")

func ensure(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	// While several services ask for a stream at once, a server sets room aside for each of them, and may say to all that it
	// has none left: that passes.
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 50 * time.Millisecond
	existing, err := backoff.Retry(ctx, func() (jetstream.Stream, error) {
		existing, err := find(ctx, js, want)
		var api *jetstream.APIError
		if err != nil && (!errors.As(err, &api) || api.ErrorCode != codeNoStorage) {
			err = backoff.Permanent(err)
		}
		return existing, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(3*time.Second))
	if err != nil {
		return err
	}
	have := existing.CachedInfo().Config
	merged, changed, err := merge(have, want)
	if err != nil || !changed {
		return err
	}
	_, err = js.UpdateStream(ctx, merged)
	return refused(want.Name, "update", err)
}

// find is a stream, made if it is not there.
func find(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) (jetstream.Stream, error) {
	found, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		found, err = js.CreateStream(ctx, want)
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return found, refused(want.Name, "create", err)
		}
		found, err = js.Stream(ctx, want.Name) // another service was faster, with other options
	}
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", want.Name, err)
	}
	return found, nil
}

// refused tells what passes (no connection, no leader yet) from what the server will refuse again.
func refused(name, what string, err error) error {
	if err == nil {
		return nil
	}
	var api *jetstream.APIError
	if errors.As(err, &api) && api.Code < 500 {
		return fmt.Errorf("%w: %s %s: %w", ErrStream, what, name, err)
	}
	if errors.As(err, &api) && api.ErrorCode == codeNoStorage {
		return fmt.Errorf("%w: %s %s: %w: choose a smaller size, or give NATS more room", ErrStream, what, name, err)
	}
	return fmt.Errorf("%s stream %s: %w", what, name, err)
}

// Codes of nats-server's errors.json that nats.go has no name for.
const (
	codeNoStorage   jetstream.ErrorCode = 10047 // JSStorageResourcesExceededErr
	codeStoreFailed jetstream.ErrorCode = 10077 // JSStreamStoreFailedF, with the reason as its text
)

func merge(have, want jetstream.StreamConfig) (merged jetstream.StreamConfig, changed bool, err error) {
	switch {
	case have.Retention != want.Retention:
		return have, false, fmt.Errorf("%w: %s has retention %s, not limits", ErrStream, have.Name, have.Retention)
	case have.Storage != want.Storage:
		return have, false, fmt.Errorf("%w: %s is kept in %s, not in files", ErrStream, have.Name, have.Storage)
	case have.Sealed:
		return have, false, fmt.Errorf("%w: %s is sealed", ErrStream, have.Name)
	case have.DenyDelete:
		return have, false, fmt.Errorf("%w: %s denies deletes: a message with an NHS number could not be removed", ErrStream, have.Name)
	case have.Name == Events && have.FirstSeq > 1: // counts wait for sequence 1, and the server does not change it
		return have, false, fmt.Errorf("%w: the first sequence (first_seq) of %s is %d, not 1, so nothing of it would ever be counted: "+
			"delete the stream, so that it is made anew, and have sent again what is in it", ErrStream, have.Name, have.FirstSeq)
	}
	merged = have
	set := func(differs bool, apply func()) {
		if differs {
			apply()
			changed = true
		}
	}
	set(!contains(have.Subjects, want.Subjects[0]), func() { merged.Subjects = want.Subjects })
	set(have.Discard != want.Discard, func() { merged.Discard = want.Discard })
	set(have.NoAck, func() { merged.NoAck = false })
	set(have.MaxMsgs > 0, func() { merged.MaxMsgs = -1 })
	set(smaller(have.MaxMsgsPerSubject, want.MaxMsgsPerSubject) || have.DiscardNewPerSubject,
		func() { merged.MaxMsgsPerSubject, merged.DiscardNewPerSubject = want.MaxMsgsPerSubject, false })
	set(have.MaxMsgSize > 0, func() { merged.MaxMsgSize = -1 })
	set(!have.AllowDirect, func() { merged.AllowDirect = true })
	set(smaller(int64(have.MaxAge), int64(want.MaxAge)), func() { merged.MaxAge = want.MaxAge })
	set(smaller(have.MaxBytes, want.MaxBytes), func() { merged.MaxBytes = want.MaxBytes })
	set(have.Duplicates < want.Duplicates, func() { merged.Duplicates = want.Duplicates })
	set(have.Replicas < want.Replicas, func() { merged.Replicas = want.Replicas })
	return merged, changed, nil
}

// smaller compares limits, of which 0 and -1 mean that there is none.
func smaller(have, want int64) bool {
	return have > 0 && (want <= 0 || have < want)
}

func contains(subjects []string, subject string) bool {
	for _, s := range subjects {
		if s == subject {
			return true
		}
	}
	return false
}

// ErrFull is wrapped by the error of a publish that was refused because the stream is full. Nothing was stored and
// nothing that was stored is lost: publish again with the same Nats-Msg-Id once there is room.
var ErrFull = errors.New("stream is full")

// full makes the server's refusal by size an [ErrFull].
func full(name string, err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == codeStoreFailed && isLimit(api.Description) {
		return fmt.Errorf("%s: %w (%s)", name, ErrFull, api.Description)
	}
	return err
}

// isLimit tells the texts of nats-server's store.go ErrMaxBytes and ErrMaxMsgs, which share one error code with faults.
func isLimit(description string) bool {
	return description == "maximum bytes exceeded" || description == "maximum messages exceeded"
}

// Undelivered is how many messages of a stream its consumer has given to nobody yet. The server tells a consumer of new messages
// a moment later: until then they are not in its NumPending.
func Undelivered(info *jetstream.StreamInfo, reading *jetstream.ConsumerInfo) uint64 {
	delivered := max(reading.Delivered.Stream, max(info.State.FirstSeq, 1)-1)
	if info.State.LastSeq <= delivered {
		return reading.NumPending
	}
	return max(reading.NumPending, info.State.LastSeq-delivered)
}

// Fullness is the share of MaxBytes that a stream uses, 0 to 1; 0 for a stream without that limit.
func Fullness(info *jetstream.StreamInfo) float64 {
	if info.Config.MaxBytes <= 0 {
		return 0
	}
	return float64(info.State.Bytes) / float64(info.Config.MaxBytes)
}
