package collect

import (
	"context"
	"database/sql"
	_ "embed" // the queries
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/stream"
)

// account compares, again and again, what the stream took with what was handled, and writes off what is gone. A fault
// here never ends the collector: events are worth more than figures about them.
func (c *Collector) account(ctx context.Context) error {
	book := &ledger{conn: c.ClickHouse, lostAfter: c.LostAfter, now: time.Now}
	for {
		start := time.Now()
		if err := c.accountOnce(ctx, book); err != nil && ctx.Err() == nil {
			book.forget()
			c.Logger.Warn("cannot account for the stream", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(c.AccountEvery, 2*time.Since(start))): // never more than a third of the time
		}
	}
}

func (c *Collector) accountOnce(ctx context.Context, book *ledger) error {
	ctx, cancel := context.WithTimeout(ctx, c.InsertTimeout+natsTimeout)
	defer cancel()
	st, consumer := c.source.get()
	// What was handled first: the stream is then never older than that but where it is another one.
	newest, err := c.newestHandled(ctx)
	if err != nil {
		return err
	}
	// The stream before its consumer: messages that come between the two questions are then pending and not missing.
	info, err := st.Info(ctx)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", stream.Events, err)
	}
	c.compare(info, newest)
	reading, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("look up consumer %s: %w", stream.Collector, err)
	}
	pending, err := c.unread(ctx, st, info, reading)
	if err != nil {
		return err
	}
	c.metrics.pending.Set(float64(pending))
	c.metrics.fullness.WithLabelValues(stream.Events).Set(stream.Fullness(info))
	if dead, err := c.JetStream.Stream(ctx, stream.DeadLetters); err == nil {
		c.metrics.fullness.WithLabelValues(stream.DeadLetters).Set(stream.Fullness(dead.CachedInfo()))
	}
	balance, err := book.balance(ctx, st, info)
	if err != nil {
		return err
	}
	c.metrics.lost.Set(float64(balance.lost))
	c.metrics.unaccounted.Set(float64(balance.unaccounted(pending)))
	if balance.writtenOff > 0 {
		c.Logger.Error("messages left the stream before anybody read them", "messages", balance.writtenOff, "first", balance.firstWrittenOff)
	}
	return nil
}

// position is a place in one of the streams that there were.
type position struct{ stream, sequence uint64 }

func (p position) isBefore(stream, sequence uint64) bool {
	return p.stream < stream || p.stream == stream && p.sequence < sequence
}

//go:embed newest.sql
var newestQuery string

// newestHandled is up to where anything was handled, of the newest stream that ClickHouse knows.
func (c *Collector) newestHandled(ctx context.Context) (p position, err error) {
	if err := c.ClickHouse.QueryRow(ctx, newestQuery).Scan(&p.stream, &p.sequence); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return p, fmt.Errorf("find what was handled last: %w", err)
	}
	return p, nil
}

// compare says, once, that the stream is older than what ClickHouse has handled: a NATS that was restored from a backup, or
// came back from a power cut without its last messages. That stays true of it when it has caught up, until the
// collector is started again.
func (c *Collector) compare(info *jetstream.StreamInfo, newest position) {
	created := uint64(info.Created.UnixNano())
	older := created < newest.stream || created == newest.stream && info.State.LastSeq < newest.sequence
	if older && c.older != created {
		c.older = created
		c.Logger.Error("the stream is older than what ClickHouse has handled: what comes in may be taken for handled and not be counted. "+
			"Do as deploy/BACKUP.md says of a NATS that is older than ClickHouse", "stream", stream.Events, "created", info.Created.UTC(),
			"last", info.State.LastSeq, "handled_created", time.Unix(0, int64(newest.stream)).UTC(), "handled_last", newest.sequence)
	}
	c.metrics.older.Set(map[bool]float64{true: 1}[c.older == created])
}

// unread is how many messages are not acknowledged. It sets how near the oldest of them is to its end.
func (c *Collector) unread(ctx context.Context, st jetstream.Stream, info *jetstream.StreamInfo, reading *jetstream.ConsumerInfo) (pending uint64, err error) {
	inHand := uint64(reading.NumAckPending)
	pending = stream.Undelivered(info, reading) + inHand
	ratio := 0.0
	if pending > 0 {
		oldest, err := st.GetMsg(ctx, max(reading.AckFloor.Stream+1, info.State.FirstSeq), jetstream.WithGetMsgSubject(">"))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			pending = inHand // it was handled meanwhile, or the newest ones were deleted
		case err != nil:
			return 0, fmt.Errorf("look up the oldest unread message: %w", err)
		case info.Config.MaxAge > 0:
			ratio = time.Since(oldest.Time).Seconds() / info.Config.MaxAge.Seconds()
		}
	}
	c.metrics.oldest.Set(ratio) // not before it is known: nobody is to see 0 meanwhile
	return pending, nil
}

// ledger knows what became of the messages of one stream.
//
// A message is lost if it is gone from the stream and nobody handled it. Two things make that safe to say. Handled rows
// are written before anything is removed or acknowledged, so a message without one is either still being worked on or
// was never read. And it must have been so for lostAfter, with ClickHouse answering every time: that is longer than a
// collector that holds the message (fetched before it expired) takes to write it once ClickHouse is there.
//
// The consumer's acknowledgement floor is no help: nats-server moves it over messages that were removed while a
// collector holds them, and leaves it behind while nothing is acknowledged.
type ledger struct {
	conn      driver.Conn
	lostAfter time.Duration
	now       func() time.Time

	stream   uint64 // creation time, nanoseconds; everything below is about this one
	complete uint64 // all sequences up to this one have a handled row
	lost     uint64 // of those, how many are lost

	suspects []run // missing and gone at since
	since    time.Time
}

// run is a stretch of sequences, both ends included.
type run struct{ from, to uint64 }

// balance is what a ledger finds.
type balance struct {
	missing uint64 // sequences that the stream gave out and that have no handled row
	gone    uint64 // of those, not in the stream any more
	lost    uint64 // sequences written off

	writtenOff, firstWrittenOff uint64 // by this very balance
}

// unaccounted is last - first expected + 1 - handled - pending. What a collector has handled and not yet acknowledged
// is in both of the last two, so under way it can only be too low, and it is right whenever nothing is under way. What
// is certainly gone counts in any case.
func (b balance) unaccounted(pending uint64) uint64 {
	open := uint64(0)
	if b.missing > pending {
		open = b.missing - pending
	}
	return max(open, b.gone) + b.lost
}

// forget starts the wait before anything is written off anew: ClickHouse did not answer.
func (l *ledger) forget() { l.suspects, l.since = nil, time.Time{} }

// chunk is how many sequences are looked at in one query, so that its memory is bounded.
const chunk = 1_000_000

func (l *ledger) balance(ctx context.Context, st jetstream.Stream, info *jetstream.StreamInfo) (balance, error) {
	if created := uint64(info.Created.UnixNano()); created != l.stream {
		*l = ledger{conn: l.conn, lostAfter: l.lostAfter, now: l.now, stream: created}
	}
	missing, err := l.gaps(ctx, info.State.LastSeq)
	if err != nil {
		return balance{}, err
	}
	gone, err := notInStream(ctx, st, info, missing)
	if err != nil {
		return balance{}, err
	}
	if len(gone) > 0 { // or was handled meanwhile, and then removed since it held an NHS number
		if missing, err = l.gaps(ctx, info.State.LastSeq); err != nil {
			return balance{}, err
		}
		gone = both(gone, missing)
	}
	b := balance{missing: total(missing), gone: total(gone)}
	if err := l.writeOff(ctx, gone, &b); err != nil {
		return balance{}, err
	}
	later, err := l.countLost(ctx, l.complete, info.State.LastSeq)
	b.lost = l.lost + later
	return b, err
}

// gaps finds the sequences up to last that have no handled row, and moves complete up to the first of them.
func (l *ledger) gaps(ctx context.Context, last uint64) ([]run, error) {
	var gaps []run
	for from := l.complete; from < last; {
		to := min(from+chunk, last)
		found, err := l.gapsBetween(ctx, from, to)
		if err != nil {
			return nil, err
		}
		complete := to
		if len(found) > 0 {
			complete = found[0].from - 1
		}
		if len(gaps) == 0 && complete > l.complete {
			lost, err := l.countLost(ctx, l.complete, complete)
			if err != nil {
				return nil, err
			}
			l.complete, l.lost = complete, l.lost+lost
		}
		gaps = append(gaps, found...)
		from = to
	}
	return gaps, nil
}

//go:embed gaps.sql
var gapsQuery string

func (l *ledger) gapsBetween(ctx context.Context, after, to uint64) ([]run, error) {
	rows, err := l.conn.Query(ctx, gapsQuery, clickhouse.Named("stream", l.stream), clickhouse.Named("after", after), clickhouse.Named("to", to))
	if err != nil {
		return nil, fmt.Errorf("find what was not handled: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var gaps []run
	for rows.Next() {
		var r run
		if err := rows.Scan(&r.from, &r.to); err != nil {
			return nil, fmt.Errorf("find what was not handled: %w", err)
		}
		gaps = append(gaps, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find what was not handled: %w", err)
	}
	return gaps, nil
}

//go:embed lost.sql
var lostQuery string

func (l *ledger) countLost(ctx context.Context, after, to uint64) (lost uint64, err error) {
	if to <= after {
		return 0, nil
	}
	row := l.conn.QueryRow(ctx, lostQuery, clickhouse.Named("stream", l.stream), clickhouse.Named("after", after), clickhouse.Named("to", to))
	if err := row.Scan(&lost); err != nil {
		return 0, fmt.Errorf("count what was lost: %w", err)
	}
	return lost, nil
}

// notInStream finds those of the runs that the stream does not have any more.
func notInStream(ctx context.Context, st jetstream.Stream, info *jetstream.StreamInfo, runs []run) ([]run, error) {
	var gone, rest []run
	first := info.State.FirstSeq
	for _, r := range runs {
		if r.from < first {
			gone = append(gone, run{r.from, min(r.to, first-1)})
		}
		if r.to >= first {
			rest = append(rest, run{max(r.from, first), r.to})
		}
	}
	if len(rest) == 0 || info.State.NumDeleted == 0 {
		return gone, nil
	}
	detailed, err := st.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return nil, fmt.Errorf("look up what was deleted from %s: %w", stream.Events, err)
	}
	deleted := make([]run, 0, len(detailed.State.Deleted))
	for _, sequence := range detailed.State.Deleted {
		deleted = append(deleted, run{sequence, sequence})
	}
	return append(gone, both(rest, deleted)...), nil
}

// writeOff writes off what has been gone and missing for long enough, and remembers what is now.
func (l *ledger) writeOff(ctx context.Context, gone []run, b *balance) error {
	if len(gone) == 0 {
		l.forget()
		return nil
	}
	now := l.now()
	if l.suspects == nil {
		l.suspects, l.since = gone, now
		return nil
	}
	if now.Sub(l.since) < l.lostAfter {
		return nil
	}
	var rows []HandledRow
	for _, r := range both(l.suspects, gone) {
		for sequence := r.from; sequence <= r.to && len(rows) < chunk; sequence++ {
			rows = append(rows, HandledRow{Stream: l.stream, Sequence: sequence, Outcome: Lost})
		}
	}
	if len(rows) > 0 {
		if err := InsertHandled(ctx, l.conn, rows); err != nil {
			return fmt.Errorf("write off what was lost: %w", err)
		}
		b.writtenOff, b.firstWrittenOff = uint64(len(rows)), rows[0].Sequence
		b.missing -= b.writtenOff
		b.gone -= b.writtenOff
	}
	l.suspects, l.since = gone, now
	return nil
}

func total(runs []run) (n uint64) {
	for _, r := range runs {
		n += r.to - r.from + 1
	}
	return n
}

// both is what two lists of runs, each in order and without overlap, have in common.
func both(a, b []run) []run {
	var common []run
	for len(a) > 0 && len(b) > 0 {
		if from, to := max(a[0].from, b[0].from), min(a[0].to, b[0].to); from <= to {
			common = append(common, run{from, to})
		}
		if a[0].to < b[0].to {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return common
}
