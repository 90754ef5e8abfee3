// Package rollup turns stored events into published counts.
//
// # How it stays exact
//
// A count is a function of what was read: of the versions of records at or before a position in the stream. Positions
// come from prevention.handled, whose rows are written after the events they speak of, so everything at or before the
// watermark is there and nothing can be added to it. Versions are never overwritten, so the state at any earlier
// position can be computed again at any time.
//
// A step takes a programme from its published position to the watermark: it finds the people concerned, computes
// their counts at both positions, and writes the new value of every cell they counted in at any position between,
// under an id that is made from the new position. Nothing of this is visible until one insert into
// prevention.published names the new id for all slices concerned. So a crash at any point leaves only rows that
// nobody reads or that are rewritten alike; two aggregators write the same counts or rows of different ids, each true
// at its id; and an older run never replaces a newer one, since the greatest id is the one in force. A step adds to what
// is published at the position it began at, and gives up if that has moved on. Slices without a changed cell are left alone.
//
// A full recompute (first run, new reference data, a large backlog, a person of very many records) reads everybody instead,
// and takes nothing from what is stored: all slices get a new base, below which cells are of the past, and the programme a
// new floor, below which slices are. So what an overtaken run writes or publishes late is never seen. The audit compares
// such a recompute with what is published.
package rollup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
	"gapwatch/services/internal/store"
)

// Config is what an aggregator needs.
type Config struct {
	ClickHouse driver.Conn
	Programmes *programme.Set
	Log        *slog.Logger
	Registry   prometheus.Registerer // nil: metrics are not registered

	// Interval is the shortest time between the starts of two ticks. Default 1 s.
	Interval time.Duration
	// Share is the share of the time that may be spent on ticks, over 0 to 1: after a tick of t the aggregator rests
	// for at least t * (1 - Share) / Share. Default 0.75.
	Share float64
	// Threads is how many threads of ClickHouse a full recompute may use. Default 1.
	Threads int
	// Backlog is the number of new messages from which on everybody is read instead of only the people concerned.
	// Default 50,000.
	Backlog uint64
	// Patience is how long a backlog may wait while it grows, so that a bulk load is not counted over and over: it is
	// complete when it has stood still for five seconds. Default 15 s.
	Patience time.Duration
	// AuditEvery is the time between two audits. Default one hour; negative: none.
	AuditEvery time.Duration
	// Checkpoint, where set, is called before each write with its name; an error ends the tick there. For crash tests.
	Checkpoint func(name string) error
}

func (c *Config) setDefaults() error {
	if c.ClickHouse == nil || c.Programmes == nil {
		return errors.New("rollup: ClickHouse and Programmes must be set")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.Share == 0 {
		c.Share = 0.75
	}
	if c.Share < 0 || c.Share > 1 {
		return fmt.Errorf("rollup: share %v is not over 0 and at most 1", c.Share)
	}
	if c.Threads == 0 {
		c.Threads = 1
	}
	if c.Backlog == 0 {
		c.Backlog = 50_000
	}
	if c.Patience == 0 {
		c.Patience = 15 * time.Second
	}
	if c.AuditEvery == 0 {
		c.AuditEvery = time.Hour
	}
	return nil
}

// Aggregator publishes counts. Its fields are caches: everything it needs to go on is in ClickHouse.
type Aggregator struct {
	config  Config
	metrics *metrics

	checkpoints sync.Mutex // Checkpoint is never called twice at once

	mu           sync.Mutex // a tick and an audit never run at once
	streams      []uint64   // creation times of all streams, earliest first
	handled      Position   // the watermark last seen
	links        links
	linksUpTo    Position
	left         *left // records that changed hands, as of leftAt: many programmes ask in one tick
	leftAt       Position
	shared       map[event.RecordID]struct{} // at least all records that changed hands, as of sharedUpTo: few, 40 bytes each
	sharedUpTo   Position
	areas        *area.Index
	areasAt      uint32 // the generation that areas are of
	fifths       grounds
	generationOf map[string]uint32 // the newest loads that change counts, as inForce returns them
	registered   uint32            // the load that our programme file is
	audited      map[string]uint32 // the generation of each programme that the last audit found published
	waiting      backlog
	rests        map[string]time.Time // programmes that a step took too long for, and until when they rest
}

// backlog is a pile of unread messages that may still grow.
type backlog struct {
	since time.Time
	grew  time.Time // last, as far as seen
	size  uint64
}

// grown is how long a backlog must not have grown to be called complete: a collector that takes in large batches is heard
// of every few seconds.
const grown = 5 * time.Second

// rest is how long a programme that a step took too long for is left alone after it was counted in full: to count it so again
// and again would keep ClickHouse busy, and leave a copy of all cells each time.
const rest = time.Minute

// wait tells whether to wait for more, now that so much is unread.
func (b *backlog) wait(unread uint64, patience time.Duration) bool {
	if b.since.IsZero() {
		b.since = time.Now()
	}
	if unread != b.size {
		b.size, b.grew = unread, time.Now()
	}
	return time.Since(b.since) < patience && time.Since(b.grew) < grown
}

// New prepares an aggregator; it does not touch the store yet.
func New(config Config) (*Aggregator, error) {
	if err := config.setDefaults(); err != nil {
		return nil, err
	}
	return &Aggregator{config: config, metrics: newMetrics(config.Registry), shared: map[event.RecordID]struct{}{}, fifths: grounds{of: map[string]fifths{}}, audited: map[string]uint32{}, rests: map[string]time.Time{}}, nil
}

// ErrSuperseded says that another aggregator with another programme file has taken over. Stop: two files at once
// would undo each other's counts.
var ErrSuperseded = errors.New("another aggregator runs with another programme file: stop one of them")

// Run publishes until ctx ends. Errors of the store are retried; anything else is returned.
func (a *Aggregator) Run(ctx context.Context) error {
	audited := time.Now()
	var (
		unaudited []*programme.Programme // one after each tick: nobody waits for the audit of all
		found     AuditResult
	)
	for ctx.Err() == nil {
		started := time.Now()
		_, err := a.Tick(ctx)
		if len(unaudited) == 0 && a.config.AuditEvery > 0 && time.Since(audited) >= a.config.AuditEvery {
			audited, unaudited, found = time.Now(), a.config.Programmes.Programmes, AuditResult{}
		}
		if err == nil && len(unaudited) > 0 {
			if err = a.auditOne(ctx, unaudited[0], &found); err == nil {
				if unaudited = unaudited[1:]; len(unaudited) == 0 {
					a.logAudit(found)
				}
			}
		}
		spent := time.Since(started)
		if err != nil && ctx.Err() == nil {
			a.metrics.errors.Inc()
			if errors.Is(err, ErrSuperseded) || store.Judge(err) == store.Stop {
				return err
			}
			a.config.Log.Warn("not published, trying again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(a.config.rest(spent)):
		}
	}
	return nil
}

// rest is how long to wait after so much work, to keep to Interval and Share.
func (c *Config) rest(spent time.Duration) time.Duration {
	return max(c.Interval-spent, time.Duration(float64(spent)*(1-c.Share)/c.Share))
}

// Result says what a tick did.
type Result struct {
	At      Position // published up to here, if not Waiting
	Full    int      // programmes that were recomputed in full
	Slices  int      // slices that got a new snapshot
	Waiting bool     // a backlog is left to grow first, or a programme rests

	Overtaken bool // another aggregator published meanwhile: the rest of the result says nothing
}

// Tick publishes everything that is handled by now. The error says what could not be read or written; what was
// published before it stays. Calling it again is always safe.
func (a *Aggregator) Tick(ctx context.Context) (Result, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	started := time.Now()
	result, err := a.tick(ctx)
	a.left = nil // it can be large
	if errors.Is(err, errOvertaken) {
		a.config.Log.Debug("tick ended", "reason", err)
		return Result{Overtaken: true}, nil
	}
	if err = a.mend(ctx, err); err == nil {
		a.metrics.ticks.Inc()
		a.metrics.seconds.Observe(time.Since(started).Seconds())
		a.metrics.slices.Add(float64(result.Slices))
		if !result.Waiting {
			a.metrics.publishedSequence.Set(float64(result.At.Sequence))
		}
	}
	return result, err
}

func (a *Aggregator) tick(ctx context.Context) (Result, error) {
	generations, err := a.inForce(ctx)
	if err != nil {
		return Result{}, err
	}
	ids, err := a.published(ctx)
	if err != nil {
		return Result{}, err
	}
	to, err := a.watermark(ctx, ids)
	if err != nil {
		return Result{}, err
	}

	result := Result{At: to}
	full := func(p *programme.Programme, generation uint32, fresh bool) error {
		slices, err := a.recompute(ctx, p, generation, to, fresh)
		if err != nil {
			return err
		}
		result.Full++
		result.Slices += slices
		return nil
	}
	var behind []progress // programmes to step; those to recompute in full are done at once
	for _, p := range a.config.Programmes.Programmes {
		generation := max(generations[""], generations[p.ID])
		id, known := ids[p.ID]
		if !known {
			id = new(big.Int)
		}
		at, from, err := readID(id, a.streams)
		if err != nil {
			return result, err
		}
		switch {
		case at > generation:
			return result, errOvertaken // another aggregator knows of newer reference data
		case !known || at < generation:
			if err := full(p, generation, true); err != nil {
				return result, err
			}
		case !to.After(from):
		case time.Now().Before(a.rests[p.ID]):
			result.Waiting = true
		case !a.rests[p.ID].IsZero():
			delete(a.rests, p.ID)
			if err := full(p, generation, false); err != nil {
				return result, err
			}
		default:
			behind = append(behind, progress{p, generation, from, id})
		}
	}
	if len(behind) == 0 {
		a.waiting = backlog{}
		return result, nil
	}

	var unread uint64
	for _, b := range behind {
		n := to.Sequence
		if b.from.Stream == to.Stream {
			n -= b.from.Sequence
		}
		unread = max(unread, n)
	}
	if unread >= a.config.Backlog && a.waiting.wait(unread, a.config.Patience) {
		result.Waiting = true
		return result, nil
	}
	a.waiting = backlog{}
	left := behind
	if unread < a.config.Backlog {
		slices, long, err := a.step(ctx, behind, to)
		if err != nil {
			return result, err
		}
		result.Slices += slices
		for _, b := range long {
			a.rests[b.programme.ID] = time.Now().Add(rest)
		}
		left = long
	}
	for _, b := range left {
		if err := full(b.programme, b.generation, false); err != nil {
			return result, err
		}
	}
	a.logCounted(ctx, behind, to, result.Slices)
	return result, nil
}

// programmeFile is the key under which generations.sql answers with the newest programme file.
const programmeFile = "*"

// progress is how far a programme is published.
type progress struct {
	programme  *programme.Programme
	generation uint32
	from       Position
	id         *big.Int // of from, as published
}

// errOvertaken ends a tick whose start another aggregator has moved on from. The next tick begins where that one ended.
var errOvertaken = errors.New("another aggregator has published meanwhile")

// inForce brings the look-ups up to date and returns the newest load that changes counts, by programme.
func (a *Aggregator) inForce(ctx context.Context) (map[string]uint32, error) {
	if a.registered == 0 {
		load, err := reference.RegisterProgrammes(ctx, a.config.ClickHouse, a.config.Programmes.SHA256)
		if err != nil {
			return nil, fmt.Errorf("register programme file: %w", err)
		}
		a.registered = load
	}
	generations, err := a.generations(ctx)
	if err != nil {
		return nil, err
	}
	if generations[programmeFile] > a.registered {
		return nil, ErrSuperseded
	}
	if a.areas == nil || generations[""] != a.areasAt {
		index, err := reference.Areas(ctx, a.config.ClickHouse, a.config.Programmes.Edition)
		if err != nil {
			return nil, fmt.Errorf("read areas: %w", err)
		}
		a.areas, a.areasAt = index, generations[""]
	}
	if !maps.Equal(generations, a.generationOf) {
		// What is counted afresh may be so because somebody was removed, who must not live on here. All is read anew, as
		// at the start.
		a.links, a.linksUpTo = links{}, Position{}
		a.shared, a.sharedUpTo = map[event.RecordID]struct{}{}, Position{}
	}
	a.generationOf = generations
	return generations, nil
}

// inconsistent says that what is stored cannot come from what was read: a defect, or somebody wrote into the tables.
type inconsistent struct {
	programme *programme.Programme
	error
}

func (e *inconsistent) Unwrap() error { return e.error }

// mend has a programme counted afresh if a tick found its counts inconsistent. It returns the error of the tick.
func (a *Aggregator) mend(ctx context.Context, err error) error {
	if broken := (*inconsistent)(nil); errors.As(err, &broken) {
		a.metrics.auditMismatches.Inc()
		return a.repair(ctx, broken.programme, err)
	}
	return err
}

// repair has a programme counted afresh: a load of kind repair makes a new generation, and so a full recompute that
// takes nothing from what is stored. why is returned, joined with what went wrong here.
func (a *Aggregator) repair(ctx context.Context, p *programme.Programme, why error) error {
	a.config.Log.Error("stored counts are wrong, counting afresh", "programme", p.ID, "error", why)
	_, err := reference.RegisterRepair(ctx, a.config.ClickHouse, p.ID)
	return errors.Join(why, err)
}

func (a *Aggregator) checkpoint(name string) error {
	if a.config.Checkpoint == nil {
		return nil
	}
	a.checkpoints.Lock()
	defer a.checkpoints.Unlock()
	return a.config.Checkpoint(name)
}

type metrics struct {
	ticks, errors, slices, audits, auditMismatches prometheus.Counter
	seconds                                        prometheus.Histogram
	publishedSequence                              prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "gapwatch_aggregator_" + name, Help: help})
	}
	m := &metrics{
		ticks:           counter("ticks_total", "Ticks that ended well."),
		errors:          counter("errors_total", "Ticks and audits that failed and are tried again."),
		slices:          counter("slices_published_total", "Slices (programme, season, place) that got a new snapshot."),
		audits:          counter("audits_total", "Full recomputes compared with what is stored."),
		auditMismatches: counter("audit_mismatches_total", "Cells that an audit or a step found wrong. Anything but 0 is a defect."),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gapwatch_aggregator_tick_seconds", Help: "How long ticks take.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 12)}),
		publishedSequence: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gapwatch_aggregator_published_sequence", Help: "Sequence of the newest stream up to which counts are published."}),
	}
	if registry != nil {
		registry.MustRegister(m.ticks, m.errors, m.slices, m.audits, m.auditMismatches, m.seconds, m.publishedSequence)
	}
	return m
}
