// Package heartbeat writes down how the feed is, every 15 seconds: what has come in and what became of it, what waits, and
// how far the numbers are behind. Dashboards and alerts read it in ClickHouse (reporting.feed), where a heartbeat that does
// not come says that the pipeline stands still.
//
// It is cheap: it never reads prevention.events, and of prevention.handled only what came in since the heartbeat before.
// Any number of aggregators may write heartbeats: of each 15 seconds the last one stays, and all of them say the same.
package heartbeat

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/store"
)

//go:embed queries/*.sql
var files embed.FS

var queries = store.Queries{Files: files, Settings: clickhouse.Settings{"max_threads": 1}}

// Every is the time between two heartbeats, which the views know too.
const Every = 15 * time.Second

// Config is what heartbeats are made of.
type Config struct {
	ClickHouse driver.Conn
	JetStream  jetstream.JetStream
	Programmes *programme.Set // whose numbers must be up to date
	Log        *slog.Logger
	Registry   prometheus.Registerer // nil: metrics are not registered

	// UpTo tells since when the measures (gap, verdicts) have held all counts that were published by then; its zero value
	// is never. nil: nobody keeps them here, and counts alone are looked at.
	UpTo func() time.Time
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Heart writes heartbeats. Its fields are caches.
type Heart struct {
	Config
	errors prometheus.Counter
	began  time.Time
	ledger ledger
	last   *beat
}

// beat is one row of prevention.heartbeats.
type beat struct {
	taken                   time.Time
	counts                  counts
	waiting                 uint64
	unaccounted             int64
	oldest, behind          time.Duration
	streamFull, lettersFull float64
	eventsPerSecond         float64
}

// New prepares a heart; it does not touch anything yet. The error is for stopping at start.
func New(c Config) (*Heart, error) {
	if c.ClickHouse == nil || c.JetStream == nil || c.Programmes == nil {
		return nil, errors.New("heartbeat: ClickHouse, JetStream and Programmes must be set")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Heart{Config: c, began: c.Now(), errors: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "gapwatch_heartbeat_errors_total", Help: "Heartbeats that could not be written."})}
	if c.Registry != nil {
		if err := c.Registry.Register(h.errors); err != nil {
			return nil, fmt.Errorf("heartbeat: %w", err)
		}
	}
	return h, nil
}

// Run writes heartbeats until ctx ends, the first one at once. One that cannot be written is left out, which is what says
// that something is wrong; only what somebody must repair in ClickHouse is returned.
func (h *Heart) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := h.Beat(ctx); err != nil && ctx.Err() == nil {
			h.errors.Inc()
			if store.Judge(err) == store.Stop {
				return err
			}
			h.Log.Warn("no heartbeat", "error", err)
		}
		now := h.Now()
		select {
		case <-ctx.Done():
		case <-time.After(now.Truncate(Every).Add(Every).Sub(now)):
		}
	}
	return nil
}

// most is how long one heartbeat may take. The first of a process counts what was handled before it.
const most = time.Minute

// Beat writes one heartbeat. The error says what could not be asked or written: calling it again is always safe.
func (h *Heart) Beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	b, err := h.take(ctx)
	if err != nil {
		return err
	}
	if err := store.Insert(ctx, h.ClickHouse, `heartbeats (at, taken_at, stored, dead_lettered, lost, waiting, unaccounted, oldest_waiting_seconds, behind_seconds,
		stream_full, dead_letters_full, events_per_second)`, "", 1, func(int) []any {
		return []any{b.taken.Truncate(Every), b.taken, b.counts.stored, b.counts.letters, b.counts.lost, b.waiting, b.unaccounted,
			uint32(b.oldest.Seconds()), uint32(b.behind.Seconds()), b.streamFull, b.lettersFull, b.eventsPerSecond}
	}); err != nil {
		return err
	}
	h.last = b
	return nil
}

func (h *Heart) take(ctx context.Context) (*beat, error) {
	// Messages first, then what became of them: those that come meanwhile are waiting and not missing.
	m, err := look(ctx, h.JetStream)
	if err != nil {
		return nil, err
	}
	found, err := h.ledger.read(ctx, h.ClickHouse, m.created, m.first, m.last)
	if err != nil {
		return nil, err
	}
	b := &beat{taken: h.Now().UTC(), counts: found.all, waiting: m.waiting, streamFull: m.full, lettersFull: m.lettersFull}
	open := found.gone // certainly missing
	if found.missing > m.waiting {
		open = max(open, found.missing-m.waiting)
	}
	b.unaccounted = int64(open + found.all.lost) // so that taking lost off leaves what is open, also after a stream was made again
	if !m.oldest.IsZero() {
		b.oldest = max(0, b.taken.Sub(m.oldest))
	}
	if b.behind, err = h.behind(ctx, m.created, b.taken); err != nil {
		return nil, err
	}
	if h.last != nil {
		if seconds, more := b.taken.Sub(h.last.taken).Seconds(), b.counts.handled()-h.last.counts.handled(); seconds > 0 && more > 0 {
			b.eventsPerSecond = float64(more) / seconds
		}
	}
	return b, nil
}

// behind is the age of the oldest handled message that is not in the published counts yet, or of the published counts that
// measures may not hold, whichever is more; 0 if there is none.
func (h *Heart) behind(ctx context.Context, created uint64, now time.Time) (time.Duration, error) {
	ids := make([]string, len(h.Programmes.Programmes))
	for i, p := range h.Programmes.Programmes {
		ids[i] = p.ID
	}
	var programmes, millisecond, sequence uint64
	var published time.Time
	if err := queries.Each(ctx, h.ClickHouse, "published", []any{clickhouse.Named("programmes", ids)}, func(rows driver.Rows) error {
		return rows.Scan(&programmes, &millisecond, &sequence, &published)
	}); err != nil {
		return 0, err
	}
	if programmes < uint64(len(ids)) || millisecond < created/1e6 {
		sequence = 0 // nothing of this stream is published of one of them
	}
	var behind time.Duration
	if err := queries.Each(ctx, h.ClickHouse, "first_after", []any{clickhouse.Named("stream", created), clickhouse.Named("after", sequence)}, func(rows driver.Rows) error {
		var at time.Time
		err := rows.Scan(&at)
		behind = max(0, now.Sub(at))
		return err
	}); err != nil {
		return 0, err
	}
	if h.UpTo != nil && programmes > 0 {
		upTo := h.UpTo()
		if upTo.IsZero() {
			upTo = h.began
		}
		if published.After(upTo) {
			behind = max(behind, now.Sub(upTo))
		}
	}
	return behind, nil
}
