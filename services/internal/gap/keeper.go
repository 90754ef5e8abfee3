// Package gap keeps what follows from the published counts: the measures of inequality of every geography and day, the
// weeks of neighbourhoods and ethnic groups, how complete the days are, verdicts, trajectories and what interventions
// did. The rules are in the pure packages inequality, disclosure, completeness, verdict, trajectory and intervention;
// this one reads the published cells, asks them, and stores what they say in the tables of schemas/migrations/0004_gap.sql.
//
// Uptake and gap of a geography and day stand in one row, so they appear together, and the row of the greatest
// published id is the one in force: an older run never replaces a newer one. Only rows that differ from what is stored
// are written. Everything can be worked out again from the published cells but for two things that must not change
// afterwards: the weeks of small areas (what was shown once stays) and the log of verdicts (what was said was said).
// Several keepers may run at once.
package gap

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/completeness"
	"gapwatch/services/internal/disclosure"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/verdict"
)

//go:embed queries/*.sql
var files embed.FS

var queries = store.Queries{Files: files, Settings: clickhouse.Settings{"max_threads": 1}}

// Config is what a keeper needs.
type Config struct {
	ClickHouse driver.Conn
	Programmes *programme.Set
	Log        *slog.Logger
	Registry   prometheus.Registerer // nil: metrics are not registered

	// Disclosure is the rule that shown counts follow. The zero value is NHS England's.
	Disclosure disclosure.Mode
	// National says that the deployment has all of England's events: only then there are rows of England.
	National bool
	// Interval is the shortest time between the starts of two looks at what is new. Default 2 s.
	Interval time.Duration
	// Share is the share of the time that may be spent, over 0 to 1. Default 0.25: with a whole country's places this is
	// a lot to work out, and counts must not wait for it.
	Share float64
	// Settle is for how long the counts of complete days must have stayed within 1 % before they are judged, and before
	// the weeks of small areas are stored for good: not while a history is still being loaded. Default 10 minutes;
	// negative: none.
	Settle time.Duration
	// Hold, where set, keeps everything back while it says so.
	Hold func() bool
	// Prepare is run before the first look, again and again until it succeeds; may be nil.
	Prepare func(context.Context) error
	// Now is the clock that says which day today is. Default time.Now.
	Now func() time.Time
	// Checkpoint, where set, is called before each write with its name; an error ends the look there. For crash tests.
	Checkpoint func(name string) error
}

func (c *Config) setDefaults() error {
	if c.ClickHouse == nil || c.Programmes == nil {
		return errors.New("gap: ClickHouse and Programmes must be set")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Interval == 0 {
		c.Interval = 2 * time.Second
	}
	if c.Share == 0 {
		c.Share = 0.25
	}
	if c.Share < 0 || c.Share > 1 {
		return fmt.Errorf("gap: share %v is not over 0 and at most 1", c.Share)
	}
	if c.Settle == 0 {
		c.Settle = 10 * time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// Keeper works out what follows from published counts. Its fields are caches.
type Keeper struct {
	config  Config
	metrics *metrics

	prepared  bool
	seasons   map[seasonKey]kept // what was worked out last
	steady    map[seasonKey]steady
	lags      map[string]learnt
	areas     *area.Index
	places    *geography
	areasAt   uint32 // generation of areas and places
	areasLoad uint32 // newest load of areas themselves
	history   uint32 // load of the published series that were measured

	upTo atomic.Int64 // see UpTo, nanoseconds since 1970
}

// UpTo is when the last look began that ended without an error: the measures hold everything that was published before.
// Its zero value is never. It may be called while the keeper runs.
func (k *Keeper) UpTo() time.Time {
	if n := k.upTo.Load(); n > 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

type seasonKey struct{ programme, season string }

// kept is what a season was worked out from.
type kept struct {
	id       string       // greatest published id of its slices
	complete calendar.Day // last complete day
	today    calendar.Day
	past     string // id of the season that it is compared with
	settled  bool
}

// steady is since when the counts of a season's complete days have stayed about the same.
type steady struct {
	covered uint64
	since   time.Time
}

type learnt struct {
	completeness.Lag
	clock   calendar.Day // the day on which it was learnt
	today   calendar.Day // the day as of which it was
	at      time.Time
	settled bool
}

// New prepares a keeper; it does not touch the store yet.
func New(config Config) (*Keeper, error) {
	if err := config.setDefaults(); err != nil {
		return nil, err
	}
	return &Keeper{config: config, metrics: newMetrics(config.Registry), seasons: map[seasonKey]kept{}, steady: map[seasonKey]steady{}, lags: map[string]learnt{}}, nil
}

// Run keeps everything up to date until ctx ends. Errors of the store are retried; anything else is returned.
func (k *Keeper) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		started := time.Now()
		_, err := k.Tick(ctx)
		spent := time.Since(started)
		if err != nil && ctx.Err() == nil {
			k.metrics.errors.Inc()
			if store.Judge(err) == store.Stop {
				return err
			}
			k.config.Log.Warn("measures are not up to date, trying again", "error", err)
		}
		rest := max(k.config.Interval-spent, time.Duration(float64(spent)*(1-k.config.Share)/k.config.Share))
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
	return nil
}

// Result says what a look at the counts led to.
type Result struct {
	Seasons  int // seasons that were worked out
	Days     int // rows of prevention.gap_days that were written
	Verdicts int // changes of verdict that were logged
}

// Tick works out what is new since the last look. The error says what could not be read or written: calling it again
// is always safe.
func (k *Keeper) Tick(ctx context.Context) (Result, error) {
	var result Result
	started := time.Now()
	if k.config.Hold != nil && k.config.Hold() {
		return result, nil
	}
	if !k.prepared && k.config.Prepare != nil {
		if err := k.config.Prepare(ctx); err != nil {
			return result, err
		}
	}
	k.prepared = true
	if err := k.readAreas(ctx); err != nil {
		return result, err
	}
	var errs []error // one programme's must not keep the others waiting
	for _, p := range k.config.Programmes.AsOf(calendar.Of(k.config.Now())).Programmes {
		if err := k.programme(ctx, p, &result); err != nil {
			errs = append(errs, fmt.Errorf("programme %s: %w", p.ID, err))
		}
	}
	if err := k.publishedSeries(ctx, &result); err != nil {
		errs = append(errs, fmt.Errorf("published series: %w", err))
	}
	if len(errs) == 0 {
		k.upTo.Store(started.UnixNano())
	}
	if result.Seasons > 0 {
		k.metrics.seconds.Observe(time.Since(started).Seconds())
		k.metrics.days.Add(float64(result.Days))
		k.metrics.verdicts.Add(float64(result.Verdicts))
		k.config.Log.Debug("measures", "seasons", result.Seasons, "days", result.Days, "verdicts", result.Verdicts, "took", time.Since(started))
	}
	return result, errors.Join(errs...)
}

// programme works out the seasons of a programme whose counts have changed or that have a new complete day.
func (k *Keeper) programme(ctx context.Context, p *programme.Programme, result *Result) error {
	ids, err := k.published(ctx, p)
	if err != nil || len(ids) == 0 {
		return err
	}
	today := calendar.Of(k.config.Now())
	seasons := seasonsOf(p, today)
	if len(seasons) == 0 {
		return nil
	}
	complete, err := k.complete(ctx, p, today, k.settled(seasonKey{p.ID, seasons[len(seasons)-1].ID}))
	if err != nil {
		return err
	}
	generation := generationOf(ids)
	done := map[string]*season{} // worked out in this look
	for i, s := range seasons {
		id, ok := ids[s.ID]
		if !ok {
			id = new(big.Int).Lsh(big.NewInt(int64(generation)), 108) // nobody covered yet: eligible people alone
		}
		want := kept{id: id.String(), complete: min(complete, s.End), today: min(today, s.End)}
		var last *programme.Season
		if before, ok := verdict.Before(p, s.ID); ok {
			last = &before
			if past, ok := ids[last.ID]; ok {
				want.past = past.String()
			}
		}
		key := seasonKey{p.ID, s.ID}
		settled := func() bool { // what is said of a season is said beside the last one
			return k.settled(key) && (last == nil || !k.coming(seasonKey{p.ID, last.ID}))
		}
		want.settled = settled()
		if have := k.seasons[key]; have == want {
			continue
		}
		var past *season
		if last != nil {
			if past = done[last.ID]; past == nil {
				if past, err = k.count(ctx, p, *last, today); err != nil {
					return err
				}
			}
			if !past.anybody() {
				past = nil // nothing is known of it: that is no gap of 0
			}
		}
		now, err := k.count(ctx, p, s, today)
		if err != nil {
			return err
		}
		// Covered people by old look-ups over eligible people by new ones would be nobody's uptake.
		if again, err := k.published(ctx, p); err != nil {
			return err
		} else if generationOf(again) != generation {
			return errTorn
		}
		done[s.ID] = now
		now.id, now.generation, now.complete = id, generation, want.complete
		k.settle(key, now.covered())
		want.settled = settled()
		// The last days of a season become complete when the next one has begun.
		newest := i == len(seasons)-1 || complete < seasons[i+1].Start
		if err := k.workOut(ctx, now, past, newest, want.settled, result); err != nil {
			return fmt.Errorf("season %s: %w", s.ID, err)
		}
		k.seasons[key] = want
		result.Seasons++
	}
	return nil
}

// settle notes how many people are covered on complete days.
func (k *Keeper) settle(key seasonKey, covered uint64) {
	last := k.steady[key]
	if low, high := min(last.covered, covered), max(last.covered, covered); covered == 0 || high-low > low/100 {
		k.steady[key] = steady{covered, k.config.Now()}
	}
}

// coming tells whether a season's counts are still changing a lot.
func (k *Keeper) coming(key seasonKey) bool { return k.steady[key].covered > 0 && !k.settled(key) }

// settled tells whether what does not change afterwards may be said of a season: somebody is covered, and the counts have stayed about the same for long.
func (k *Keeper) settled(key seasonKey) bool {
	s := k.steady[key]
	return s.covered > 0 && (k.config.Settle < 0 || k.config.Now().Sub(s.since) >= k.config.Settle)
}

// workOut stores all that follows from a season's counts. Trajectories and effects are those of the newest, and so are
// verdicts.
func (k *Keeper) workOut(ctx context.Context, s, past *season, newest, settled bool, result *Result) error {
	all := k.disclose(s)
	n, err := k.writeDays(ctx, s, all)
	if err != nil {
		return err
	}
	result.Days += n
	if settled {
		if err := k.writeWeeks(ctx, s); err != nil {
			return err
		}
	}
	if !newest || s.complete < s.first {
		return nil
	}
	var before []*place
	if past != nil {
		before = k.disclose(past)
	}
	if err := k.writeLastDays(ctx, s, past, all, before, settled); err != nil {
		return err
	}
	if settled {
		changes, err := k.judge(ctx, s, past, all, before)
		if err != nil {
			return err
		}
		result.Verdicts += changes
	}
	if s.programme.Kind != programme.Rolling {
		if err := k.writeTrajectories(ctx, s, past, all, before); err != nil {
			return err
		}
	}
	return k.writeEffects(ctx, s, all)
}

// seasonsOf are the seasons of a programme that have begun, in order of time. A rolling programme has one, of which the
// last two years and a bit are kept: as much as a comparison with a year earlier needs.
func seasonsOf(p *programme.Programme, today calendar.Day) []programme.Season {
	if p.Kind == programme.Rolling && p.HistoryFrom > today {
		return nil
	}
	if p.Kind == programme.Rolling {
		return []programme.Season{{ID: programme.RollingSeason, Start: max(p.HistoryFrom, today-rollingDays), End: calendar.Far}}
	}
	var begun []programme.Season
	for _, s := range p.Seasons {
		if s.Start <= today {
			begun = append(begun, s)
		}
	}
	return begun
}

const rollingDays = 800

// published says how far a programme and its seasons are published; nothing if it is not at all.
func (k *Keeper) published(ctx context.Context, p *programme.Programme) (map[string]*big.Int, error) {
	ids := map[string]*big.Int{}
	err := k.each(ctx, "published", []any{clickhouse.Named("programme", p.ID)}, func(rows driver.Rows) error {
		var season string
		var id big.Int
		err := rows.Scan(&season, &id)
		ids[season] = &id
		return err
	})
	if ids[""] == nil {
		return nil, err
	}
	return ids, err
}

// generationOf is the load of reference data that a programme is published by; 0 if it is not published.
func generationOf(ids map[string]*big.Int) uint32 {
	if ids[""] == nil {
		return 0
	}
	return uint32(new(big.Int).Rsh(ids[""], 108).Uint64())
}

// each runs queries/<name>.sql and calls scan for every row.
func (k *Keeper) each(ctx context.Context, name string, args []any, scan func(driver.Rows) error) error {
	return queries.Each(ctx, k.config.ClickHouse, name, args, scan)
}

// insert is [store.Insert] with a checkpoint before it.
func (k *Keeper) insert(ctx context.Context, into, token string, rows int, row func(i int) []any) error {
	if k.config.Checkpoint != nil && rows > 0 {
		if err := k.config.Checkpoint(into); err != nil {
			return err
		}
	}
	return store.Insert(ctx, k.config.ClickHouse, into, token, rows, row)
}

type metrics struct {
	errors, days, verdicts prometheus.Counter
	seconds                prometheus.Histogram
	lag                    *prometheus.GaugeVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "gapwatch_gap_" + name, Help: help})
	}
	m := &metrics{
		errors:   counter("errors_total", "Looks at new counts that failed and are tried again."),
		days:     counter("days_total", "Rows of measures that were written."),
		verdicts: counter("verdict_changes_total", "Changes of a verdict that were logged."),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gapwatch_gap_seconds", Help: "How long it took to work out what is new.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 14)}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "gapwatch_completeness_lag_days", Help: "Days until a day is complete."}, []string{"programme"}),
	}
	if registry != nil {
		registry.MustRegister(m.errors, m.days, m.verdicts, m.seconds, m.lag)
	}
	return m
}
