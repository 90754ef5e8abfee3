package rollup

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
	"gapwatch/services/internal/uptake"
)

// recompute counts a whole programme from its events up to a position and publishes the slices that differ from what
// is stored: all of them if the reference data are new. It returns how many slices got a new snapshot.
func (a *Aggregator) recompute(ctx context.Context, p *programme.Programme, generation uint32, to Position, fresh bool) (int, error) {
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

// insertTally writes all cells of some slices under an id.
func (a *Aggregator) insertTally(ctx context.Context, programme string, at extent, counted *tally, wanted map[slice]bool) error {
	var block cellBlock
	if err := counted.each(func(s slice) bool { return wanted[s] }, func(c Cell, n Counts) error {
		if len(block.day) >= blockCells {
			if err := a.insertBlock(ctx, programme, at.id, &block); err != nil {
				return err
			}
		}
		block.add(c, n)
		return nil
	}); err != nil {
		return err
	}
	return a.insertBlock(ctx, programme, at.id, &block)
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
	var (
		counted = newTally(where)
		known   = located(where)
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
	if err := a.everybody(ctx, p, to, func(person event.Pseudonym, records []uptake.Record) error {
		newest := uptake.Newest(records)
		if len(left) > 0 {
			newest = slices.DeleteFunc(newest, func(r uptake.Record) bool {
				at, moved := left[r.ID]
				return moved && (at.programme != p.ID || at.person != person)
			})
		}
		if len(a.links[person]) > 0 {
			cluster, _ := a.links.cluster(person)
			least := slices.MinFunc(cluster, func(a, b event.Pseudonym) int { return bytes.Compare(a[:], b[:]) })
			linked[least] = append(linked[least], newest...)
			return nil
		}
		return count(newest)
	}); err != nil {
		return nil, err
	}
	for _, records := range linked {
		if err := count(records); err != nil {
			return nil, err
		}
	}
	counted.finish()
	return counted, nil
}

// home is where the newest version of a record is.
type home struct {
	programme string
	person    event.Pseudonym
	version   event.Version
}

// leftRecords are the records that more than one person or programme holds versions of, with the home of the newest.
func (a *Aggregator) leftRecords(ctx context.Context, to Position) (map[event.RecordID]home, error) {
	if a.left != nil && a.leftAt == to {
		return a.left, nil
	}
	left := map[event.RecordID]home{}
	err := a.each(ctx, "shared_records", append(upTo(to), clickhouse.Named("threads", a.config.Threads)), func(rows driver.Rows) error {
		var id, person uuid.UUID
		var h home
		if err := rows.Scan(&id, &h.programme, &person, &h.version.Micros, &h.version.Precedence); err != nil {
			return err
		}
		h.person = event.Pseudonym(person)
		if newest, ok := left[event.RecordID(id)]; !ok || newest.version.Less(h.version) {
			left[event.RecordID(id)] = h
		}
		a.shared[event.RecordID(id)] = struct{}{}
		return nil
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
		if err := a.insert(ctx, "prevention.eligible_cells", len(some), func(i int) []any {
			c := some[i]
			return []any{p.ID, c.Season, c.Day.Time(), c.Place, c.System, string(c.Level), c.Code, c.Quintile, generation, uint32(eligible[c])}
		}); err != nil {
			return err
		}
	}
	return nil
}
