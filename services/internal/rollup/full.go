package rollup

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/go-faster/city"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/uptake"
)

// frugal has garbage collected four times as often until the function it returns is called. What a full count holds has
// hardly a pointer in it, so that this costs next to nothing and takes a quarter less memory (rollup_peak_mb of make bench).
func frugal() func() {
	before := debug.SetGCPercent(25)
	return func() { debug.SetGCPercent(before) }
}

// recompute counts a whole programme from its events up to a position and publishes the slices that differ from what
// is stored: all of them if the reference data are new. It returns how many slices got a new snapshot.
func (a *Aggregator) recompute(ctx context.Context, p *programme.Programme, generation uint32, to Position, fresh bool) (int, error) {
	defer frugal()()
	counted, err := a.countAll(ctx, p, to)
	if err != nil {
		return 0, fmt.Errorf("programme %s: %w", p.ID, err)
	}
	extents, err := a.slicesOf(ctx, p.ID)
	if err != nil {
		return 0, err
	}
	changed := map[slice]bool{}
	id := snapshotID(generation, to)
	if fresh {
		if err := a.writeEligible(ctx, p, generation); err != nil {
			return 0, fmt.Errorf("programme %s: eligible people: %w", p.ID, err)
		}
		for s := range extents {
			changed[s] = true // those that have become empty as well
		}
		for i := range counted.series {
			changed[counted.slice(counted.series[i].key)] = true
		}
		delete(changed, slice{}) // the programme's own row
	} else {
		// A slice is left alone if its published cells are right and so are those it would have at the new id: rows that a
		// step which was cut off left behind would be published with the next step in it, and right rows that nobody has
		// published yet are not seen.
		result, err := a.compare(ctx, counted, "stored", clickhouse.Named("programme", p.ID))
		if err != nil {
			return 0, err
		}
		changed = result.changed
		if result, err = a.compare(ctx, counted, "stored_until", clickhouse.Named("programme", p.ID), clickhouse.Named("id", id)); err != nil {
			return 0, err
		}
		maps.Copy(changed, result.changed)
	}
	rows := []publication{{programme: p.ID, extent: extent{id, id}}}
	for s := range changed {
		rows = append(rows, publication{p.ID, s, extent{id, id}})
	}
	if err := a.checkpoint("cells"); err != nil {
		return 0, err
	}
	if err := a.insertTally(ctx, p.ID, rows[0].extent, counted, changed); err != nil {
		return 0, err
	}
	return len(changed), a.publish(ctx, rows)
}

// insertTally writes all cells of some slices under an id: one block is gathered while the one before is inserted.
func (a *Aggregator) insertTally(ctx context.Context, programme string, at extent, counted *tally, wanted map[slice]bool) error {
	group, ctx := errgroup.WithContext(ctx)
	full, empty := make(chan *cellBlock), make(chan *cellBlock, 2)
	empty <- &cellBlock{}
	empty <- &cellBlock{}
	group.Go(func() error {
		defer close(full)
		var block *cellBlock
		next := func() error {
			if block != nil {
				select {
				case full <- block:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			select {
			case block = <-empty:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := counted.each(func(s slice) bool { return wanted[s] }, func(c Cell, n Counts) error {
			if block == nil || block.rows() >= blockCells {
				if err := next(); err != nil {
					return err
				}
			}
			block.add(c, n)
			return nil
		}); err != nil || block == nil {
			return err
		}
		return next()
	})
	group.Go(func() error {
		for block := range full {
			if err := a.insertBlock(ctx, programme, at.id, block); err != nil {
				return err
			}
			empty <- block
		}
		return nil
	})
	return group.Wait()
}

// countAll reads everybody of a programme, person by person, and counts them.
func (a *Aggregator) countAll(ctx context.Context, p *programme.Programme, to Position) (*tally, error) {
	if err := a.readLinks(ctx, to); err != nil {
		return nil, err
	}
	left, err := a.leftRecords(ctx, to)
	if err != nil {
		return nil, err
	}
	where, err := a.ground(ctx, p)
	if err != nil {
		return nil, err
	}
	texts, err := newCodes(a.areas, p)
	if err != nil {
		return nil, err
	}
	var (
		counted = newTally(where, texts)
		known   = located(where)
		moved   = movedFrom(p, left)
		kinds   = kindsOf(p)
		records []uptake.Record
		changes []uptake.Change
		linked  = map[event.Pseudonym][]uptake.Record{} // people of several pseudonyms, by the least of them
	)
	count := func(records []uptake.Record) error {
		changes = uptake.Changes(changes[:0], p, records, known)
		for i := range changes {
			if err := counted.add(&changes[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := a.everybody(ctx, p, to, func(some *portion, rows []uint32) error {
		if len(rows) > 1 {
			rows = uptake.Newest(rows, some.version)
		}
		person := event.Pseudonym(some.person[rows[0]])
		rows = slices.DeleteFunc(rows, func(row uint32) bool {
			return moved.has(event.RecordID(some.record[row]), person)
		})
		isLinked := len(a.links) > 0 && len(a.links[person]) > 0
		if len(rows) == 1 && !isLinked {
			// Most people have one record, and most of these records are of a few kinds, but for the group: the rules are asked
			// once for each kind.
			row := rows[0]
			kind, isNew := kinds.of(some, row)
			if isNew {
				r := some.row(row, texts)
				for _, ch := range uptake.Changes(changes[:0], p, []uptake.Record{r}, known) {
					n, err := counted.numbered(&ch)
					if err != nil {
						return err
					}
					*kind = append(*kind, n)
				}
			}
			g := group{texts.number(some.lsoa[row]), texts.number(some.practice[row]), some.ethnicity[row]}
			for _, n := range *kind {
				counted.count(n, g, g)
			}
			return nil
		}
		records = records[:0]
		for _, row := range rows {
			records = append(records, some.row(row, texts))
		}
		if isLinked {
			cluster, _ := a.links.cluster(person)
			least := slices.MinFunc(cluster, func(a, b event.Pseudonym) int { return bytes.Compare(a[:], b[:]) })
			linked[least] = append(linked[least], records...)
			return nil
		}
		return count(records)
	}); err != nil {
		return nil, err
	}
	for _, records := range linked {
		if err := count(records); err != nil {
			return nil, err
		}
	}
	return counted, counted.finish()
}

// kinds are what decides how a person of one record counts, whatever the group, and what comes of it.
type kinds struct {
	seasons numbers // of a cohort programme: its seasons by hash, from 1 on
	numbers numbers
	changes [][]numbered
}

func kindsOf(p *programme.Programme) *kinds {
	k := &kinds{}
	if p.Kind == programme.Cohort {
		for i, season := range p.Seasons {
			k.seasons.set(city.CH64([]byte(season.ID)), uint32(i+1))
		}
	}
	return k
}

// of is where the changes stand that a record makes, and whether they are still to be found.
func (k *kinds) of(p *portion, row uint32) (changes *[]numbered, isNew bool) {
	season, _ := k.seasons.get(p.season[row])
	key := uint64(season)<<48 | uint64(p.status[row])<<40 | uint64(p.dose[row])<<32 | uint64(uint32(p.day[row]))
	i, ok := k.numbers.get(key)
	if !ok {
		i = uint32(len(k.changes))
		k.changes = append(k.changes, nil)
		k.numbers.set(key, i)
	}
	return &k.changes[i], !ok
}

// version is which version of which record a row is.
func (p *portion) version(row uint32) (event.RecordID, event.Version) {
	return event.RecordID(p.record[row]), event.Version{Micros: p.micros[row], Precedence: p.precedence[row]}
}

// row is a row of everybody.sql as a record.
func (p *portion) row(i uint32, texts *codes) uptake.Record {
	r := uptake.Record{
		ID:       event.RecordID(p.record[i]),
		Version:  event.Version{Micros: p.micros[i], Precedence: p.precedence[i]},
		Status:   event.Status(p.status[i]),
		Day:      calendar.Day(p.day[i]),
		Dose:     p.dose[i],
		Cohort:   texts.texts[texts.number(p.season[i])],
		LSOA:     texts.texts[texts.number(p.lsoa[i])],
		Practice: texts.texts[texts.number(p.practice[i])],
	}
	if letter := p.ethnicity[i]; letter != 0 {
		r.Ethnicity = string(rune(letter))
	}
	return r
}

// moved knows of the records that changed hands who of a programme holds the newest version.
type moved struct {
	first  numbers // of each record's holder, by half of its id
	bits   []uint64
	holder []holder
}

type holder struct {
	record event.RecordID
	person event.Pseudonym
	here   bool   // in this programme
	next   uint32 // the next one with the same half, 0 = none
}

func movedFrom(p *programme.Programme, left map[event.RecordID]home) *moved {
	m := &moved{bits: make([]uint64, 1<<movedBits/64), holder: make([]holder, 1, len(left)+1)}
	for id, at := range left {
		half := binary.LittleEndian.Uint64(id[:])
		next, _ := m.first.get(half)
		m.first.set(half, uint32(len(m.holder)))
		m.holder = append(m.holder, holder{id, at.person, at.programme == p.ID, next})
		m.bits[half>>(64-movedBits)/64] |= 1 << (half >> (64 - movedBits) % 64)
	}
	return m
}

// movedBits is the width of a number that most records which never changed hands are known by at once.
const movedBits = 22

// has tells whether a record that a person of the programme held has left for somebody or something else.
func (m *moved) has(record event.RecordID, person event.Pseudonym) bool {
	half := binary.LittleEndian.Uint64(record[:])
	if m.bits[half>>(64-movedBits)/64]&(1<<(half>>(64-movedBits)%64)) == 0 {
		return false
	}
	for i, _ := m.first.get(half); i != 0; i = m.holder[i].next {
		if h := &m.holder[i]; h.record == record {
			return !h.here || h.person != person
		}
	}
	return false
}

// home is where the newest version of a record is.
type home struct {
	programme string
	person    event.Pseudonym
	version   event.Version
}

// recordRows is about how many rows ClickHouse looks through at once for records that changed hands: with ten million
// it takes half a gigabyte.
const recordRows = 1_000_000

// leftRecords are the records that more than one person or programme holds versions of, with the home of the newest.
func (a *Aggregator) leftRecords(ctx context.Context, to Position) (map[event.RecordID]home, error) {
	if a.left != nil && a.leftAt == to {
		return a.left, nil
	}
	var rows uint64
	if err := a.each(ctx, "records", nil, func(r driver.Rows) error { return r.Scan(&rows) }); err != nil {
		return nil, err
	}
	var mu sync.Mutex // of left and a.shared
	left := map[event.RecordID]home{}
	err := a.inPortions(ctx, rows/recordRows+1, func(ctx context.Context, i, of uint64) error {
		return a.each(ctx, "shared_records", slices.Concat(upTo(to), between(i, of)), func(rows driver.Rows) error {
			var id, person uuid.UUID
			var h home
			if err := rows.Scan(&id, &h.programme, &person, &h.version.Micros, &h.version.Precedence); err != nil {
				return err
			}
			h.person = event.Pseudonym(person)
			mu.Lock()
			defer mu.Unlock()
			if newest, ok := left[event.RecordID(id)]; !ok || newest.version.Less(h.version) {
				left[event.RecordID(id)] = h
			}
			a.shared[event.RecordID(id)] = struct{}{}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	a.left, a.leftAt = left, to
	if to.After(a.sharedUpTo) {
		a.sharedUpTo = to
	}
	return left, nil
}

// compare holds what was counted against the cells that a query reads.
func (a *Aggregator) compare(ctx context.Context, counted *tally, query string, args ...any) (comparison, error) {
	result := comparison{changed: map[slice]bool{}}
	for i := range counted.series {
		counted.series[i].matched = 0
	}
	if err := readCells(ctx, a.config.ClickHouse, query, args, func(c Cell, n Counts) error {
		counted.matches(c, n, &result)
		return nil
	}); err != nil {
		return result, err
	}
	counted.missing(&result)
	return result, nil
}

// eligible counts a programme's eligible people by cell, under the areas in force. The cell's day is valid_from.
func (a *Aggregator) eligible(ctx context.Context, p *programme.Programme) (map[Cell]uint64, error) {
	eligible := map[Cell]uint64{}
	where, err := a.ground(ctx, p)
	if err != nil {
		return nil, err
	}
	err = reference.Eligible(ctx, a.config.ClickHouse, p.ID, func(row reference.EligibleRow) error {
		for _, c := range cellsOf(where, row.Season, row.ValidFrom, uptake.Group{LSOA: row.LSOA, Ethnicity: row.Ethnicity, Practice: row.Practice}) {
			if c.Level == PCN && row.Practice == "" || c.Level == Ethnicity && row.Ethnicity == "" {
				continue // a denominator without practice or ethnicity says nothing at that level
			}
			eligible[c] += uint64(row.Eligible)
		}
		return nil
	})
	return eligible, err
}

// wrongEligible is in how many cells the published eligible people differ from those in force.
func (a *Aggregator) wrongEligible(ctx context.Context, p *programme.Programme) (wrong int, err error) {
	eligible, err := a.eligible(ctx, p)
	if err != nil {
		return 0, err
	}
	if err := ReadEligible(ctx, a.config.ClickHouse, p.ID, func(c Cell, n uint64) error {
		if eligible[c] != n {
			wrong++
		}
		delete(eligible, c)
		return nil
	}); err != nil {
		return 0, err
	}
	for _, n := range eligible {
		if n > 0 {
			wrong++
		}
	}
	return wrong, nil
}

// writeEligible stores a programme's eligible people by cell, under a generation.
func (a *Aggregator) writeEligible(ctx context.Context, p *programme.Programme, generation uint32) error {
	eligible, err := a.eligible(ctx, p)
	if err != nil {
		return err
	}
	cells := keys(eligible)
	for some := range slices.Chunk(cells, 200_000) {
		if err := store.Insert(ctx, a.config.ClickHouse, "eligible_cells", "", len(some), func(i int) []any {
			c := some[i]
			return []any{p.ID, c.Season, c.Day.Time(), c.Place, c.System, string(c.Level), c.Code, c.Quintile, generation, uint32(eligible[c])}
		}); err != nil {
			return err
		}
	}
	return nil
}
