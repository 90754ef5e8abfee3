package collect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/store"
)

// someRows is how many rows are refused alone, with none stored since, before the table is blamed.
const someRows = 16

// refusal is a row that ClickHouse refused when it was tried alone.
type refusal struct {
	row    []Row  // the one
	before uint64 // how often rows had been stored before the try
	err    error
}

func (r *refusal) message() position { return position{r.row[0].Stream, r.row[0].Sequence} }

// store inserts the rows, for as long as it takes. Rows that ClickHouse refuses for good are found by halving what was
// refused, and their messages are rejected, once it is sure that the fault is not the table's. After it every row is stored, or
// its message rejected or a suspect: no row is passed over, however many are refused, since what is none of these counts as stored.
func (b *batch) store(ctx context.Context, rows []Row) error {
	var refused []refusal
	var good []Row
	looking := false
	for pieces := cut(rows, maxPartitions); len(pieces) > 0; {
		piece := pieces[0]
		pieces = pieces[1:]
		before := b.suspects.now()
		switch err := b.insert(ctx, piece); {
		case err == nil:
			b.took(piece)
			good = piece[:1]
		case !b.refuses(ctx, err):
			return err
		case len(piece) > 1:
			if !looking {
				looking = true
				b.Logger.Warn("ClickHouse refuses rows: looking for which", "rows", len(piece), "error", reason(err))
			}
			half := len(piece) / 2
			pieces = append(pieces, piece[:half], piece[half:])
		default:
			refused = append(refused, refusal{piece, before, err})
		}
	}
	switch {
	case len(refused) == 0:
		return nil
	case good == nil:
		return b.suspect(refused)
	}
	return b.tryAgain(ctx, refused, good)
}

// tryAgain judges the refused rows of a batch of which others were stored. The table may have been repaired or broken
// meanwhile, so they are tried again, between two tries to store a good one again, which replaces itself.
func (b *batch) tryAgain(ctx context.Context, refused []refusal, good []Row) error {
	if err := b.insert(ctx, good); err != nil {
		return b.blame(ctx, err)
	}
	guilty := make(map[position]error)
	for i := range refused {
		switch err := b.insert(ctx, refused[i].row); {
		case err == nil:
			b.took(refused[i].row)
		case b.refuses(ctx, err):
			guilty[refused[i].message()] = err
		default:
			return err
		}
	}
	if len(guilty) == 0 {
		return nil
	}
	if err := b.insert(ctx, good); err != nil {
		return b.blame(ctx, err)
	}
	for i := range b.messages {
		m := &b.messages[i]
		if err, is := guilty[position{m.Stream, m.Sequence}]; is {
			m.reject(err)
		}
	}
	return nil
}

// suspect judges the refused rows of a batch of which none was stored, by what becomes of other batches.
func (b *batch) suspect(refused []refusal) error {
	again := b.comeAgain(time.Since(b.began))
	is := make(map[position]error)
	guilty := make(map[position]bool)
	for i := range refused {
		message := refused[i].message()
		is[message] = refused[i].err
		guilty[message] = b.suspects.add(message, refused[i].before, time.Now().Add(again+b.ackWait()))
	}
	if b.suspects.open() >= someRows {
		return fmt.Errorf("%w: %s", ErrEverythingRefused, reason(refused[0].err))
	}
	for i := range b.messages {
		m := &b.messages[i]
		message := position{m.Stream, m.Sequence}
		switch err := is[message]; {
		case err == nil:
		case guilty[message]:
			m.reject(err)
		default:
			m.Suspect = again
			b.Logger.Warn("ClickHouse refuses a row and has stored none since: it comes again", "sequence", m.Sequence, "in", again, "error", reason(err))
		}
	}
	return nil
}

// comeAgain is how long suspects of a batch that took that long are left alone. What comes again goes before what nobody has
// read: were it all that there is time for, the row that tells would never be reached. This way it takes half of the time at
// most, unless batches of less than someRows messages take seconds each.
func (c *Collector) comeAgain(took time.Duration) time.Duration {
	return max(c.RetryMost, min(2*someRows*took, c.ackWait()))
}

// insert stores rows, and waits for as long as ClickHouse is away.
func (b *batch) insert(ctx context.Context, rows []Row) error {
	err := b.ask(ctx, "insert events", func(ctx context.Context) error {
		start := time.Now()
		err := insertRows(ctx, b.ClickHouse, rows)
		b.metrics.insert.Observe(time.Since(start).Seconds())
		return err
	})
	if err == nil {
		b.suspects.somethingStored()
	}
	return err
}

// took counts rows as stored.
func (b *batch) took(rows []Row) {
	for i := range rows {
		b.stored[rows[i].Programme]++
	}
}

// refuses tells a refusal of rows from other errors.
func (b *batch) refuses(ctx context.Context, err error) bool {
	return ctx.Err() == nil && store.Judge(err) == store.Reject
}

// blame is the error of a row that was stored before.
func (b *batch) blame(ctx context.Context, err error) error {
	if b.refuses(ctx, err) {
		return fmt.Errorf("%w: %s", ErrEverythingRefused, reason(err))
	}
	return err
}

// reject marks a message whose row ClickHouse refuses.
func (m *Message) reject(err error) {
	// The event is valid, so its person is a pseudonym and it may be kept.
	m.Rejection = &event.Rejection{Reason: NotStorable, Field: "payload", Detail: reason(err), Payload: true}
}

// reason is why a row is refused. What ClickHouse says may hold values: only its code is kept.
func reason(err error) string {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return fmt.Sprintf("ClickHouse refuses it with error %d", exception.Code)
	}
	return "the driver refuses it"
}

// suspects are the messages whose rows ClickHouse refused while it stored no other: the fault may be theirs or the table's.
// They are given back to the stream until that is known, so that a fault of the table makes no dead letters, however
// small the batches are.
type suspects struct {
	mu     sync.Mutex
	stored uint64 // how often rows were stored
	known  map[position]suspected
}

type suspected struct {
	since uint64    // stored, when the row had been refused alone for the first time
	until time.Time // if it has not come back by then, another collector has it
}

// somethingStored clears the table for now.
func (s *suspects) somethingStored() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored++
}

// now is how often rows were stored so far.
func (s *suspects) now() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored
}

// add suspects a message whose row was refused alone, before being the now of before that try. It tells whether the message
// is guilty: its row was refused alone, then others were stored, and then it was refused again.
func (s *suspects) add(message position, before uint64, until time.Time) (guilty bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[position]suspected)
	}
	known, again := s.known[message]
	if again && known.since < before {
		delete(s.known, message)
		return true
	}
	if !again {
		known.since = s.stored
	}
	known.until = until
	s.known[message] = known
	return false
}

// open is how many messages were refused since a row was stored, and may come back.
func (s *suspects) open() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for message, known := range s.known {
		switch {
		case time.Now().After(known.until):
			delete(s.known, message)
		case known.since == s.stored:
			n++
		}
	}
	return n
}
