package rollup

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"runtime/debug"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/uptake"
)

// recompute counts a whole programme from its events up to a position and publishes all of its slices, under a new base and
// as the programme's floor: nothing that another run has written or still writes at an earlier id is seen with them. It
// returns how many slices there are. The eligible people are counted if the reference data are new.
func (a *Aggregator) recompute(ctx context.Context, p *programme.Programme, generation uint32, to Position, fresh bool) (int, error) {
	counted, err := a.countAll(ctx, p, to)
	if err != nil {
		return 0, fmt.Errorf("programme %s: %w", p.ID, err)
	}
	debug.FreeOSMemory() // what people were read into makes room for what ClickHouse takes cells with
	if fresh {
		if err := a.writeEligible(ctx, p, generation); err != nil {
			return 0, fmt.Errorf("programme %s: eligible people: %w", p.ID, err)
		}
	}
	if err := a.checkpoint("cells"); err != nil {
		return 0, err
	}
	id := snapshotID(generation, to)
	if err := a.insertTally(ctx, p.ID, id, counted); err != nil {
		return 0, err
	}
	all, err := a.slicesOf(ctx, p.ID) // those that have become empty as well
	if err != nil {
		return 0, err
	}
	for i := range counted.series {
		all[counted.slice(counted.series[i].key)] = extent{}
	}
	delete(all, slice{}) // the programme's own row
	rows := []publication{{programme: p.ID, extent: extent{id, id, id}}}
	for s := range all {
		rows = append(rows, publication{p.ID, s, extent{id: id, base: id}})
	}
	return len(all), a.publish(ctx, rows)
}

// insertTally writes all cells under an id, in as many inserts at once as there may be threads.
func (a *Aggregator) insertTally(ctx context.Context, programme string, id *big.Int, counted *tally) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(a.config.Threads)
	for _, some := range counted.cut(counted.inOrder(), insertCells) {
		group.Go(func() error {
			return a.insert(ctx, programme, id, func(add func(Cell, Counts) error) error { return counted.each(some, add) })
		})
	}
	return group.Wait()
}

// countAll reads everybody of a programme, person by person, and counts them.
func (a *Aggregator) countAll(ctx context.Context, p *programme.Programme, to Position) (*tally, error) {
	if err := a.readLinks(ctx, to); err != nil {
		return nil, err
	}
	var rows uint64
	if err := a.each(ctx, "rows_of", []any{clickhouse.Named("programme", p.ID)}, func(r driver.Rows) error { return r.Scan(&rows) }); err != nil {
		return nil, err
	}
	if rows == 0 {
		return newTally(ground{}, nil), nil
	}
	left, err := a.leftRecords(ctx, to)
	if err != nil {
		return nil, err
	}
	where, err := a.ground(ctx, p)
	if err != nil {
		return nil, err
	}
	texts, err := newCodes(a.areas)
	if err != nil {
		return nil, err
	}
	var (
		counted = newTally(where, texts)
		known   = located(where)
		named   = cohorts(p)
		singles = newSingles(counted)
		records []uptake.Record
		changes []uptake.Change
		linked  portion // people of several pseudonyms, by the least of them: held until the end, 90 bytes a record
	)
	several := func(some *portion, rows []uint32) error {
		records = records[:0]
		for _, row := range rows {
			records = append(records, some.row(row, named, texts))
		}
		changes = uptake.Changes(changes[:0], p, records, known)
		for i := range changes {
			ch := &changes[i]
			n, err := counted.numbered(ch)
			if err != nil {
				return err
			}
			singles.change(n, some.group(&ch.From, rows, texts), some.group(&ch.To, rows, texts))
		}
		return nil
	}
	if err := a.everybody(ctx, p, to, rows, texts, left, func(some *portion, rows []uint32) error {
		if len(rows) > 1 {
			rows = uptake.Newest(rows, some.version)
		}
		person := event.Pseudonym(some.person[rows[0]])
		rows = slices.DeleteFunc(rows, func(row uint32) bool { return some.gone[row] })
		if a.links.any(person) {
			cluster, _ := a.links.cluster(person)
			least := slices.MinFunc(cluster, func(a, b event.Pseudonym) int { return bytes.Compare(a[:], b[:]) })
			linked.take(some, rows, uuid.UUID(least))
			return nil
		}
		if len(rows) == 1 {
			row := rows[0]
			kind, err := singles.kind(some, row, func() []uptake.Change {
				return uptake.Changes(changes[:0], p, []uptake.Record{some.row(row, named, texts)}, known)
			})
			if err != nil {
				return err
			}
			singles.add(kind, group{some.lsoas[row], some.practices[row], some.ethnicity[row]})
			return nil
		}
		return several(some, rows)
	}); err != nil {
		return nil, err
	}
	linked.sort(linked.person, nil, 0, 1)
	if err := linked.each(linked.person, func(rows []uint32) error { return several(&linked, rows) }); err != nil {
		return nil, err
	}
	singles.flush()
	return counted, counted.finish()
}

// take takes rows of another portion in, under another pseudonym.
func (p *portion) take(from *portion, rows []uint32, person uuid.UUID) {
	for _, i := range rows {
		p.person, p.record = append(p.person, person), append(p.record, from.record[i])
		p.micros, p.precedence = append(p.micros, from.micros[i]), append(p.precedence, from.precedence[i])
		p.status, p.dose, p.day = append(p.status, from.status[i]), append(p.dose, from.dose[i]), append(p.day, from.day[i])
		p.season, p.ethnicity = append(p.season, from.season[i]), append(p.ethnicity, from.ethnicity[i])
		p.lsoas, p.practices = append(p.lsoas, from.lsoas[i]), append(p.practices, from.practices[i])
	}
}

// version is which version of which record a row is.
func (p *portion) version(row uint32) (event.RecordID, event.Version) {
	return event.RecordID(p.record[row]), event.Version{Micros: p.micros[row], Precedence: p.precedence[row]}
}

// row is a row of everybody.sql as a record.
func (p *portion) row(i uint32, cohorts []string, texts *codes) uptake.Record {
	r := uptake.Record{
		ID:       event.RecordID(p.record[i]),
		Version:  event.Version{Micros: p.micros[i], Precedence: p.precedence[i]},
		Status:   event.Status(p.status[i]),
		Day:      calendar.Day(p.day[i]),
		Dose:     p.dose[i],
		Cohort:   cohorts[p.season[i]],
		LSOA:     texts.texts[p.lsoas[i]],
		Practice: texts.texts[p.practices[i]],
	}
	if letter := p.ethnicity[i]; letter != 0 {
		r.Ethnicity = string(rune(letter))
	}
	return r
}

// group is a group of a person in numbers, which some rows of that person have: seldom need a text be looked up.
func (p *portion) group(g *uptake.Group, rows []uint32, texts *codes) group {
	number := func(text string, of []uint32) uint32 {
		if text == "" {
			return 0
		}
		for _, row := range rows[:min(len(rows), 8)] { // of very many, a look-up is cheaper
			if texts.texts[of[row]] == text {
				return of[row]
			}
		}
		return texts.numbers[text]
	}
	return group{number(g.LSOA, p.lsoas), number(g.Practice, p.practices), uint8(letterCode(g.Ethnicity))}
}

// compare holds what was counted of a programme against what is published.
func (a *Aggregator) compare(ctx context.Context, counted *tally, programme string) (comparison, error) {
	result := comparison{changed: map[slice]bool{}}
	for i := range counted.series {
		counted.series[i].matched = 0
	}
	if err := ReadCells(ctx, a.config.ClickHouse, programme, func(c Cell, n Counts) error {
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
