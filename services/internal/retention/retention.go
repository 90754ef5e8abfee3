// Package retention removes what a programme's retention says is kept no longer: the records and the counts of a season that
// ended that many months ago, and a rolling programme's checks that no longer cover any day that is kept. The aggregator
// runs it, so that nobody has to remember it.
//
// # What keeps the rest exact
//
// From the day after its retention, a season is as if it were not listed (programme.Set.AsOf): events of it are refused and
// nothing is worked out or shown of it. So what is removed here is on no page any more, and how long that takes does not
// matter. Counts are made from what is stored: after a removal the programme is counted afresh, and the counts of the season
// are gone with its records. A rolling programme's records go when their cover was over before the first day that is kept,
// and so leave the number of covered people on every later day as it was; what is shown begins later still.
//
// A record whose newest version is removed loses all its versions: the newest decides, and an older one, in a season that
// is kept, would count again. What a removed record said of a person goes with it: an ethnic category or a practice that
// was known from it alone is then unknown.
//
// Every step may be cut off and done again, and several aggregators may do it at once. prevention.retention_log says
// what was removed when.
package retention

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
	"gapwatch/services/internal/reporting"
	"gapwatch/services/internal/store"
)

//go:embed queries/*.sql
var files embed.FS

var queries = store.Queries{Files: files}

// Config is what a keeper of retention needs.
type Config struct {
	ClickHouse driver.Conn
	Programmes *programme.Set
	Log        *slog.Logger          // nil for silence
	Registry   prometheus.Registerer // nil: metrics are not registered

	// Now is the clock that says which day today is. Default time.Now.
	Now func() time.Time
	// Checkpoint, where set, is called before each change with its name; an error ends the look there. For crash tests.
	Checkpoint func(name string) error
}

// Keeper removes what is over its retention.
type Keeper struct {
	config        Config
	rows, errors  prometheus.Counter
	shown, looked calendar.Day // when the programmes were last written for the views, and when everything was last in order

	repaired map[uuid.UUID]bool // runs that look cut off and may be another keeper's, whose programmes are counted afresh
}

// New prepares a keeper; it does not touch the store yet.
func New(c Config) (*Keeper, error) {
	if c.ClickHouse == nil || c.Programmes == nil {
		return nil, errors.New("retention: ClickHouse and Programmes must be set")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	k := &Keeper{config: c, repaired: map[uuid.UUID]bool{},
		rows:   prometheus.NewCounter(prometheus.CounterOpts{Name: "gapwatch_retention_removed_rows_total", Help: "Versions of records that were removed because their retention was over."}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{Name: "gapwatch_retention_errors_total", Help: "Looks for what is over its retention that failed and are tried again."}),
	}
	if c.Registry != nil {
		c.Registry.MustRegister(k.rows, k.errors)
	}
	return k, nil
}

// How long the keeper waits between looks: until it is another day, after an error, and while counts are being made afresh.
const (
	untilTomorrow = 10 * time.Minute // the clock is looked at this often
	afterError    = time.Minute
	whileCounting = 10 * time.Second
)

// Run looks once a day until ctx ends. Errors of the store are retried; anything else is returned.
func (k *Keeper) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		rest := untilTomorrow
		if today := calendar.Of(k.config.Now()); today != k.looked {
			pending, err := k.Look(ctx)
			switch {
			case err != nil && ctx.Err() != nil:
			case err != nil && store.Judge(err) == store.Stop:
				return err
			case err != nil:
				k.errors.Inc()
				k.config.Log.Warn("retention: trying again", "error", err)
				rest = afterError
			case pending:
				rest = whileCounting
			default:
				k.looked = today
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
	return nil
}

// over is what is kept no longer of a programme.
type over struct {
	programme *programme.Programme
	season    string
	until     calendar.Day // records up to this day
	from      calendar.Day // of rolling programmes: the first day that counts are kept for
}

// endless is the greatest day that a Date32 holds.
var endless = calendar.Date(2299, 12, 31)

// overOn is what is over on a day.
func overOn(set *programme.Set, today calendar.Day) (all []over) {
	for _, p := range set.Programmes {
		if p.Kind == programme.Rolling {
			from := p.KeptFrom(today)
			if from <= p.HistoryFrom {
				continue // nothing that was ever shown is over yet
			}
			until := from.AddMonths(-p.Validity)
			for until.AddMonths(p.Validity) > from { // months are not alike
				until--
			}
			all = append(all, over{p, programme.RollingSeason, until, from})
			continue
		}
		for _, s := range p.Seasons {
			if today > p.KeptTo(s) {
				all = append(all, over{p, s.ID, endless, 0})
			}
		}
	}
	return all
}

// Look removes what is over by now. It is pending while counts are still to be made afresh: then look again. The error says
// what could not be read or written; calling it again is always safe.
func (k *Keeper) Look(ctx context.Context) (pending bool, err error) {
	now := k.config.Now()
	today := calendar.Of(now)
	if pending, err = k.finish(ctx, now); err != nil {
		return false, err
	}
	if today != k.shown {
		if err := reporting.WriteProgrammes(ctx, k.config.ClickHouse, k.config.Programmes, now); err != nil {
			return false, err
		}
		k.shown = today
	}
	removed := false
	for _, o := range overOn(k.config.Programmes, today) {
		rows, err := k.remove(ctx, o)
		if err != nil {
			return false, fmt.Errorf("programme %s, season %s: %w", o.programme.ID, o.season, err)
		}
		removed = removed || rows > 0
		waits, err := k.removeCounts(ctx, o)
		if err != nil {
			return false, fmt.Errorf("programme %s, season %s: %w", o.programme.ID, o.season, err)
		}
		pending = pending || waits
	}
	if removed {
		err = k.removeLinks(ctx)
	}
	return pending, err
}

// mostOfARun is longer than a removal takes: what was begun before and is not done was cut off.
const mostOfARun = time.Hour

// finish has the programmes of removals that were cut off counted afresh: the removal itself is found again by what is left.
// One that may still be another keeper's is not closed, and waits: if it is cut off later its programme is owed that again.
func (k *Keeper) finish(ctx context.Context, now time.Time) (waits bool, err error) {
	type cut struct {
		programme, season string
		run               uuid.UUID
		begun             time.Time
	}
	var all []cut
	if err := queries.Each(ctx, k.config.ClickHouse, "open", nil, func(rows driver.Rows) error {
		var c cut
		err := rows.Scan(&c.programme, &c.season, &c.run, &c.begun)
		all = append(all, c)
		return err
	}); err != nil {
		return false, err
	}
	for _, c := range all {
		mayGoOn := now.Sub(c.begun) < mostOfARun
		waits = waits || mayGoOn
		if mayGoOn && k.repaired[c.run] {
			continue
		}
		if _, err := reference.RegisterRepair(ctx, k.config.ClickHouse, c.programme); err != nil {
			return false, err
		}
		if k.repaired[c.run] = true; mayGoOn {
			continue
		}
		if err := k.log(ctx, c.run, "done", over{programme: &programme.Programme{ID: c.programme}, season: c.season}, 0); err != nil {
			return false, err
		}
	}
	return waits, nil
}

// remove removes the records that are over, and has the programme counted afresh. It returns how many versions there were.
func (k *Keeper) remove(ctx context.Context, o over) (rows uint64, err error) {
	run := uuid.New()
	args := []any{clickhouse.Named("programme", o.programme.ID), clickhouse.Named("season", o.season),
		clickhouse.Named("until", o.until.String()), clickhouse.Named("run", run.String())}
	if err := queries.Each(ctx, k.config.ClickHouse, "count", args, func(r driver.Rows) error { return r.Scan(&rows) }); err != nil || rows == 0 {
		return rows, err
	}
	var replaced [][]any
	if err := queries.Each(ctx, k.config.ClickHouse, "replaced", args, func(r driver.Rows) error {
		var id uuid.UUID
		var made time.Time
		var precedence uint64
		err := r.Scan(&id, &made, &precedence)
		replaced = append(replaced, []any{run, "record", id, made, precedence})
		return err
	}); err != nil {
		return rows, err
	}
	if err := k.log(ctx, run, "begun", o, rows); err != nil {
		return rows, err
	}
	if err := store.Insert(ctx, k.config.ClickHouse, "removing (run, kind, id, time, precedence)", "", len(replaced), func(i int) []any { return replaced[i] }); err != nil {
		return rows, err
	}
	// First the index, which is found by the other two, then what would count if the rest were gone, last what says what is over.
	for _, name := range []string{"remove_records", "remove_replaced", "remove_events"} {
		if name == "remove_replaced" && len(replaced) == 0 {
			continue
		}
		if err := k.change(ctx, name, args); err != nil {
			return rows, err
		}
	}
	if err := k.change(ctx, "forget", args); err != nil {
		return rows, err
	}
	if err := k.checkpoint("repair"); err != nil {
		return rows, err
	}
	if _, err := reference.RegisterRepair(ctx, k.config.ClickHouse, o.programme.ID); err != nil {
		return rows, err
	}
	k.rows.Add(float64(rows))
	k.config.Log.Info("removed what is over its retention", "programme", o.programme.ID, "season", o.season, "rows", rows)
	return rows, k.log(ctx, run, "done", o, rows)
}

// counted are the tables of what follows from counts, by what of a rolling programme is over. The log of verdicts is not
// among them: it is the record of what was said, in words and points, and holds nobody's count.
var counted = []struct {
	name  string
	daily bool // has days; the others hold the newest state only
}{{"gap_days", true}, {"neighbourhood_weeks", true}, {"ethnicity_weeks", true}, {"last_days", false}, {"judged", false}, {"trajectories", false}, {"intervention_effects", false}}

// removeCounts removes what was worked out from what is over. It waits, and says so, while the counts are published still.
func (k *Keeper) removeCounts(ctx context.Context, o over) (waits bool, err error) {
	args := []any{clickhouse.Named("programme", o.programme.ID), clickhouse.Named("season", o.season), clickhouse.Named("from", o.from.String())}
	rolling := o.programme.Kind == programme.Rolling
	if !rolling {
		var published, all uint64
		if err := queries.Each(ctx, k.config.ClickHouse, "visible", args, func(r driver.Rows) error { return r.Scan(&published, &all) }); err != nil {
			return false, err
		}
		if published > 0 {
			return true, nil
		}
		if all > 0 {
			if err := k.change(ctx, "drop_cells", args); err != nil {
				return false, err
			}
		}
	}
	for _, table := range counted {
		where := "programme = @programme AND season = @season"
		if rolling && !table.daily {
			continue
		}
		if rolling {
			where += " AND day < toDate32(@from)"
		}
		var n uint64
		if err := k.config.ClickHouse.QueryRow(ctx, "SELECT count() FROM prevention."+table.name+" WHERE "+where, args...).Scan(&n); err != nil {
			return false, fmt.Errorf("%s: %w", table.name, err)
		}
		if n == 0 {
			continue // a delete, even of nothing, is a mutation
		}
		if err := k.checkpoint(table.name); err != nil {
			return false, err
		}
		if err := k.config.ClickHouse.Exec(ctx, "ALTER TABLE prevention."+table.name+" DELETE WHERE "+where+" SETTINGS mutations_sync = 2", args...); err != nil {
			return false, fmt.Errorf("%s: %w", table.name, err)
		}
	}
	return false, nil
}

// removeLinks removes the links of people of whom nothing is stored. People are linked through others: all or none of them
// must be gone.
func (k *Keeper) removeLinks(ctx context.Context) error {
	leader := map[uuid.UUID]uuid.UUID{}
	var find func(uuid.UUID) uuid.UUID
	find = func(id uuid.UUID) uuid.UUID {
		if l, ok := leader[id]; ok && l != id {
			leader[id] = find(l)
			return leader[id]
		}
		leader[id] = id
		return id
	}
	kept := map[uuid.UUID]bool{} // by one of each that is linked
	var stay []uuid.UUID
	if err := queries.Each(ctx, k.config.ClickHouse, "links", nil, func(rows driver.Rows) error {
		var person, previous uuid.UUID
		var holds, handled bool
		if err := rows.Scan(&person, &previous, &holds, &handled); err != nil {
			return err
		}
		leader[find(person)] = find(previous)
		if holds || !handled {
			stay = append(stay, person)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, person := range stay {
		kept[find(person)] = true
	}
	var gone []uuid.UUID
	for person := range leader {
		if !kept[find(person)] {
			gone = append(gone, person)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	run := uuid.New()
	args := []any{clickhouse.Named("run", run.String())}
	if err := store.Insert(ctx, k.config.ClickHouse, "removing (run, kind, id)", "", len(gone), func(i int) []any { return []any{run, "person", gone[i]} }); err != nil {
		return err
	}
	if err := k.change(ctx, "remove_links", args); err != nil {
		return err
	}
	return k.change(ctx, "forget", args)
}

func (k *Keeper) log(ctx context.Context, run uuid.UUID, phase string, o over, rows uint64) error {
	return store.Insert(ctx, k.config.ClickHouse, "retention_log (run, phase, at, programme, season, before, rows)", "", 1, func(int) []any {
		return []any{run, phase, k.config.Now().UTC(), o.programme.ID, o.season, o.until.Time(), rows}
	})
}

// change runs queries/<name>.sql, which changes something.
func (k *Keeper) change(ctx context.Context, name string, args []any) error {
	if err := k.checkpoint(name); err != nil {
		return err
	}
	text, err := files.ReadFile("queries/" + name + ".sql")
	if err != nil {
		return err
	}
	if err := k.config.ClickHouse.Exec(ctx, string(text), args...); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (k *Keeper) checkpoint(name string) error {
	if k.config.Checkpoint == nil {
		return nil
	}
	return k.config.Checkpoint(name)
}
