package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/store"
)

// Log is who does something to letters, and why, and where that is kept: prevention.dead_letter_log.
type Log struct {
	ClickHouse driver.Conn
	Operator   string           // who
	Note       string           // why; may be empty for a replay
	Now        func() time.Time // nil: the clock
}

// The actions of prevention.dead_letter_log.
const (
	replayed  int8 = 1
	discarded int8 = 2
)

const (
	maxOperator = 100
	maxNote     = 1000
)

// Validate says what is wrong with operator or note: stop.
func (l Log) Validate() error {
	for what, text := range map[string]string{"who does it (--by)": l.Operator, "the note": l.Note} {
		if !utf8.ValidString(text) || plain(text) != text {
			return fmt.Errorf("%s must be one line of text", what)
		}
		if event.HoldsNHSNumber([]byte(text)) {
			return fmt.Errorf("%s must not hold ten digits that pass for an NHS number", what)
		}
	}
	switch {
	case l.Operator == "":
		return errors.New("who does it is not known: say --by NAME")
	case len(l.Operator) > maxOperator:
		return fmt.Errorf("who does it must have at most %d bytes", maxOperator)
	case len(l.Note) > maxNote:
		return fmt.Errorf("the note must have at most %d bytes", maxNote)
	}
	return nil
}

// write logs an action on letters; again are the sequences of what was published, nil where nothing was.
// Its error is [ErrRetry] where it may pass.
func (l Log) write(ctx context.Context, b *Box, action int8, entries []Entry, again []uint64) error {
	now := time.Now
	if l.Now != nil {
		now = l.Now
	}
	at := now().UTC()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := store.Insert(ctx, l.ClickHouse, `dead_letter_log (at, action, operator, note, letter_stream, letter,
		stream, sequence, received, reason, field, sender, request, programme, again)`, "", len(entries), func(i int) []any {
		e, sequence := entries[i], uint64(0)
		if again != nil {
			sequence = again[i]
		}
		var rejectedIn uint64
		if !e.StreamCreated.IsZero() {
			rejectedIn = uint64(e.StreamCreated.UnixNano())
		}
		return []any{at, action, l.Operator, l.Note, uint64(b.created.UnixNano()), e.Sequence,
			rejectedIn, e.Letter.Sequence, e.Received.UTC(), string(e.Reason), e.Field, e.Sender, e.Request, e.Programme(), sequence}
	})
	switch {
	case err == nil:
		return nil
	case store.Judge(err) == store.Retry:
		return fmt.Errorf("%w: log what is done: %w", ErrRetry, err)
	default:
		return fmt.Errorf("log what is done: %w (is the schema that of this release? A collector brings it up to date when it starts)", err)
	}
}
