package rollup

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/big"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/store"
)

// people is a set of pseudonyms.
type people map[event.Pseudonym]struct{}

// stepWork is how many records the people of a programme may be looked at together in one step (history.work): about a
// second. A full recompute, which looks at each once, takes little longer with ten million.
const stepWork = 1_000_000

// step publishes what came in after each programme's position, up to one position, and returns how many slices got a
// new snapshot, and the programmes that are left to be recomputed in full because a step would take longer.
func (a *Aggregator) step(ctx context.Context, behind []progress, to Position) (count int, long []progress, err error) {
	started := time.Now()
	from := behind[0].from
	for _, b := range behind {
		if from.After(b.from) {
			from = b.from
		}
	}
	if err := a.readLinks(ctx, to); err != nil {
		return 0, nil, err
	}
	touched, err := a.touched(ctx, from, to)
	if err != nil {
		return 0, nil, err
	}
	read := time.Since(started)
	var short []progress
	for _, b := range behind {
		work := 0
		for _, h := range touched[b.programme.ID].histories {
			work += h.work(b.from, to)
		}
		if work > stepWork {
			long = append(long, b)
		} else {
			short = append(short, b)
		}
	}
	written := make([][]publication, len(short))
	var group errgroup.Group
	group.SetLimit(sideBySide)
	for i, b := range short {
		group.Go(func() (err error) {
			where, err := a.ground(ctx, b.programme)
			if err != nil {
				return err
			}
			changed := map[Cell]Counts{}
			for _, h := range touched[b.programme.ID].histories {
				h.step(b.from, to, where, changed)
			}
			written[i], err = a.write(ctx, b, to, changed)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return 0, nil, err
	}
	rows := slices.Concat(written...)
	count = len(rows) - len(short) // one of each is the programme's own
	a.config.Log.Debug("step", "to", to.Sequence, "slices", count, "long", len(long), "read", read, "all", time.Since(started))
	return count, long, a.publish(ctx, rows)
}

// sideBySide is how many programmes are read or written at once: while ClickHouse answers for one, the others are
// computed.
const sideBySide = 3

// readLinks takes in the links between pseudonyms known at a position.
func (a *Aggregator) readLinks(ctx context.Context, to Position) error {
	if !to.After(a.linksUpTo) {
		return nil
	}
	err := a.each(ctx, "links", append(upTo(to),
		clickhouse.Named("from_stream", a.linksUpTo.Stream), clickhouse.Named("from_sequence", a.linksUpTo.Sequence)),
		func(rows driver.Rows) error {
			var person, previous uuid.UUID
			var at Position
			err := rows.Scan(&person, &previous, &at.Stream, &at.Sequence)
			a.links.add(event.Pseudonym(person), event.Pseudonym(previous), at)
			return err
		})
	if err == nil {
		a.linksUpTo = to
	}
	return err
}

// concerned are the people of one programme that a step looks at.
type concerned struct {
	programme *programme.Programme
	people    people
	histories []*history
}

// touched finds everybody whose counts may change between two positions, with all that is known of them: whose record
// came in, who held another version of such a record, and who is linked with them.
func (a *Aggregator) touched(ctx context.Context, from, to Position) (map[string]*concerned, error) {
	touched := map[string]*concerned{}
	for _, p := range a.config.Programmes.Programmes {
		touched[p.ID] = &concerned{programme: p, people: people{}}
	}
	touch := func(programme string, person event.Pseudonym) {
		c, ok := touched[programme]
		if !ok {
			return // an event of a programme that the file no longer has: it is in no count
		}
		cluster, _ := a.links.cluster(person)
		for _, p := range cluster {
			c.people[p] = struct{}{}
		}
	}
	if a.sharedUpTo == (Position{}) {
		if _, err := a.leftRecords(ctx, to); err != nil {
			return nil, err
		}
	}
	since := from
	if since.After(a.sharedUpTo) {
		since = a.sharedUpTo
	}
	records := map[uuid.UUID]struct{}{}
	between := append(upTo(to), clickhouse.Named("from_stream", since.Stream), clickhouse.Named("from_sequence", since.Sequence))
	if err := a.each(ctx, "arrivals", between, func(rows driver.Rows) error {
		var programme string
		var person, record, previous uuid.UUID
		var at Position
		if err := rows.Scan(&programme, &person, &record, &previous, &at.Stream, &at.Sequence); err != nil {
			return err
		}
		records[record] = struct{}{}
		if !at.After(from) {
			return nil // it is only seen for the first time by this aggregator
		}
		touch(programme, event.Pseudonym(person))
		if previous != uuid.Nil && a.links.newSince(event.Pseudonym(person), event.Pseudonym(previous), from) {
			for id := range touched { // two people become one in every programme
				touch(id, event.Pseudonym(person))
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	type key struct {
		programme string
		person    event.Pseudonym
	}
	holder := make(map[event.RecordID]key, len(records))
	if err := a.holders(ctx, keys(records), to, func(programme string, v arrival) {
		touch(programme, v.person)
		k := key{programme, v.person}
		if first, ok := holder[v.ID]; ok && first != k {
			a.shared[v.ID] = struct{}{}
		}
		holder[v.ID] = k
	}); err != nil {
		return nil, err
	}
	if to.After(a.sharedUpTo) {
		a.sharedUpTo = to
	}
	var group errgroup.Group
	group.SetLimit(sideBySide)
	for id, c := range touched {
		group.Go(func() error {
			if err := a.readHistories(ctx, c, to); err != nil {
				return fmt.Errorf("programme %s: %w", id, err)
			}
			return nil
		})
	}
	return touched, group.Wait()
}

// holders calls found for every version of some records, in whichever programme and whoever's.
func (a *Aggregator) holders(ctx context.Context, records []uuid.UUID, to Position, found func(programme string, v arrival)) error {
	for some := range slices.Chunk(records, perQuery) {
		if err := a.each(ctx, "holders", append(upTo(to), clickhouse.Named("records", some)), func(rows driver.Rows) error {
			var r recordRow
			var programme string
			if err := rows.Scan(&r.id, &programme, &r.person, &r.micros, &r.precedence, &r.at.Stream, &r.at.Sequence); err != nil {
				return err
			}
			v := arrival{person: event.Pseudonym(r.person), at: r.at}
			v.ID, v.Version = event.RecordID(r.id), event.Version{Micros: r.micros, Precedence: r.precedence}
			found(programme, v)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// readHistories reads everything known of the people concerned, up to a position.
func (a *Aggregator) readHistories(ctx context.Context, c *concerned, to Position) error {
	if len(c.people) == 0 {
		return nil
	}
	of := map[event.Pseudonym]*history{}
	for person := range c.people {
		if of[person] != nil {
			continue
		}
		cluster, among := a.links.cluster(person)
		h := &history{programme: c.programme, links: among}
		c.histories = append(c.histories, h)
		for _, p := range cluster {
			of[p] = h
		}
	}
	records := map[uuid.UUID][]*history{} // more than one where a record went from one person to another
	for some := range slices.Chunk(keys(c.people), perQuery) {
		args := append(upTo(to), clickhouse.Named("programme", c.programme.ID), clickhouse.Named("people", asUUIDs(some)))
		if err := a.each(ctx, "people", args, func(rows driver.Rows) error {
			var r recordRow
			if err := rows.Scan(&r.person, &r.id, &r.micros, &r.precedence, &r.at.Stream, &r.at.Sequence,
				&r.status, &r.day, &r.dose, &r.season, &r.lsoa, &r.ethnicity, &r.practice); err != nil {
				return err
			}
			h := of[event.Pseudonym(r.person)]
			h.arrivals = append(h.arrivals, arrival{person: event.Pseudonym(r.person), Record: r.record(), at: r.at})
			if !slices.Contains(records[r.id], h) {
				records[r.id] = append(records[r.id], h)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	// Versions that others hold tell when a record has left.
	shared := slices.DeleteFunc(keys(records), func(id uuid.UUID) bool {
		_, is := a.shared[event.RecordID(id)]
		return !is
	})
	return a.holders(ctx, shared, to, func(programme string, v arrival) {
		v.elsewhere = true
		for _, h := range records[uuid.UUID(v.ID)] {
			if programme != c.programme.ID || of[v.person] != h { // its own were read in full above
				h.arrivals = append(h.arrivals, v)
			}
		}
	})
}

// publication is one row of prevention.published.
type publication struct {
	programme string
	slice     slice
	extent
}

// write stores the new values of changed cells and returns what to publish: the slices they are in and the
// programme's own row. Nothing is visible before that.
func (a *Aggregator) write(ctx context.Context, b progress, to Position, changed map[Cell]Counts) ([]publication, error) {
	id := snapshotID(b.generation, to)
	extents, err := a.slicesOf(ctx, b.programme.ID)
	if err != nil {
		return nil, err
	}
	own, ok := extents[slice{}]
	if !ok || own.id.Cmp(b.id) != 0 {
		return nil, errOvertaken // changed is relative to what was published before
	}
	publications := []publication{{programme: b.programme.ID, extent: extent{id, id, own.floor}}}
	if len(changed) == 0 {
		return publications, nil
	}
	touched := map[slice]bool{}
	for c := range changed {
		touched[c.slice()] = true
	}
	for s := range touched {
		base := id // a slice that is new
		if e, ok := extents[s]; ok {
			base = e.base
		}
		publications = append(publications, publication{b.programme.ID, s, extent{id: id, base: base}})
	}
	values, err := a.values(ctx, b, extents, changed)
	if err != nil {
		return nil, err
	}
	cells := keys(changed)
	for _, c := range cells {
		n := values[c].plus(changed[c], 1)
		if min(n.Newly, n.Lapsed, n.MovedIn, n.MovedOut) < 0 {
			return nil, &inconsistent{b.programme, fmt.Errorf("programme %s, %+v: the stored count would fall below 0", b.programme.ID, c)}
		}
		values[c] = n
	}
	if err := a.checkpoint("cells"); err != nil {
		return nil, err
	}
	for some := range bySeasons(cells) {
		if err := a.insert(ctx, b.programme.ID, id, func(add func(Cell, Counts) error) error {
			for _, c := range some {
				if err := add(c, values[c]); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return publications, nil
}

// bySeasons sorts cells by season and divides them into stretches that one insert may have.
func bySeasons(cells []Cell) iter.Seq[[]Cell] {
	slices.SortFunc(cells, func(a, b Cell) int { return cmp.Compare(a.Season, b.Season) })
	return func(yield func([]Cell) bool) {
		for first, i, seasons := 0, 0, 0; i < len(cells); {
			season := cells[i].Season
			for i < len(cells) && cells[i].Season == season {
				i++
			}
			if seasons++; seasons == maxSeasons || i == len(cells) {
				if !yield(cells[first:i]) {
					return
				}
				first, seasons = i, 0
			}
		}
	}
}

// values are the stored counts of some cells as published.
func (a *Aggregator) values(ctx context.Context, b progress, extents map[slice]extent, cells map[Cell]Counts) (map[Cell]Counts, error) {
	values := make(map[Cell]Counts, len(cells))
	for some := range slices.Chunk(keys(cells), perQuery) {
		var seasons []string
		tuples := make([][7]any, len(some))
		for i, c := range some {
			tuples[i] = [...]any{c.Season, c.Place, c.System, c.Level, c.Code, c.Quintile, c.Day.String()}
			seasons = append(seasons, c.Season)
		}
		slices.Sort(seasons)
		text, err := json.Marshal(tuples)
		if err != nil {
			return nil, err
		}
		args := []any{clickhouse.Named("programme", b.programme.ID), clickhouse.Named("id", extents[slice{}].id),
			clickhouse.Named("seasons", slices.Compact(seasons)), clickhouse.Named("cells", string(text))}
		if err := a.each(ctx, "cells", args, func(rows driver.Rows) error {
			var c Cell
			var day int32
			var level string
			var id big.Int
			var newly, lapsed, movedIn, movedOut uint32
			if err := rows.Scan(&c.Season, &day, &c.Place, &c.System, &level, &c.Code, &c.Quintile, &id,
				&newly, &lapsed, &movedIn, &movedOut); err != nil {
				return err
			}
			c.Day, c.Level = calendar.Day(day), Level(level)
			if e, ok := extents[c.slice()]; ok && id.Cmp(e.base) >= 0 {
				values[c] = Counts{int64(newly), int64(lapsed), int64(movedIn), int64(movedOut)}
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// publish makes everything that was written visible, all of it at once.
func (a *Aggregator) publish(ctx context.Context, rows []publication) error {
	if err := a.checkpoint("published"); err != nil {
		return err
	}
	return store.Insert(ctx, a.config.ClickHouse, "published (programme, season, place, id, base, floor)", "", len(rows), func(i int) []any {
		r := rows[i]
		if r.floor == nil {
			r.floor = new(big.Int) // only a programme's own row has one
		}
		return []any{r.programme, r.slice.season, r.slice.place, r.id, r.base, r.floor}
	})
}

func keys[K comparable, V any](m map[K]V) []K {
	ks := make([]K, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	return ks
}

func asUUIDs(people []event.Pseudonym) []uuid.UUID {
	ids := make([]uuid.UUID, len(people))
	for i, p := range people {
		ids[i] = uuid.UUID(p)
	}
	return ids
}
