package rollup

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"sync"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/programme"
)

// portion is what everybody.sql says of some people, column by column, as ClickHouse holds it: so ten million rows are
// read without a call per field.
type portion struct {
	person, record chproto.ColUUID
	micros         chproto.ColInt64
	precedence     chproto.ColUInt64
	status, dose   chproto.ColUInt8
	day            chproto.ColInt32
	season         chproto.ColUInt16 // of a cohort programme: its place among cohorts
	lsoa, practice chproto.ColUInt64 // hashes, see codes
	ethnicity      chproto.ColUInt8  // the letter, 0 = not said

	lsoas, practices []uint32 // numbers of codes
	gone             []bool   // the record has left for somebody or something else
	sorted
}

// columns are those of everybody.sql, in its order.
func (p *portion) columns() []column {
	return []column{columnOf(&p.person), columnOf(&p.record), columnOf(&p.micros), columnOf(&p.precedence), columnOf(&p.status),
		columnOf(&p.day), columnOf(&p.dose), columnOf(&p.season), columnOf(&p.lsoa), columnOf(&p.ethnicity), columnOf(&p.practice)}
}

// cohorts are the seasons that an event of a programme may name, if the rules look at that, from the second place on: any
// other is in place 0, where the rules find no season either.
func cohorts(p *programme.Programme) []string {
	names := []string{""}
	if p.Kind == programme.Cohort {
		for _, season := range p.Seasons {
			names = append(names, season.ID)
		}
	}
	return names
}

// portionRows is about how many rows a portion has.
const portionRows = 300_000

// everybody calls do for every person of a programme, with the rows of that person: every version of every record up
// to a position, sorted by record. What it gets is used again. ClickHouse would sort ten million rows by person at
// three times the cost of reading them, so people come in portions of pseudonyms and are sorted here.
func (a *Aggregator) everybody(ctx context.Context, p *programme.Programme, to Position, rows uint64, texts *codes, left *left, do func(some *portion, rows []uint32) error) error {
	self := programmeHash(p.ID)
	var counting sync.Mutex
	return inPortions(ctx, a.config.Threads, rows, func(ctx context.Context, some *portion, i, of uint64) error {
		return a.readColumns(ctx, "everybody", append(between(i, of, to), clickhouse.Named("programme", p.ID),
			clickhouse.Named("seasons", cohorts(p))), rows/of, some.columns())
	}, func(some *portion, i, of uint64) error {
		some.gone = left.rows(some.gone[:0], some.record, some.person, self)
		some.lsoas, some.practices = texts.look(some.lsoas[:0], some.lsoa), texts.look(some.practices[:0], some.practice)
		some.sort(some.person, some.record, i, of)
		counting.Lock()
		defer counting.Unlock()
		texts.number(some.lsoas, some.lsoa)
		texts.number(some.practices, some.practice)
		return some.each(some.person, func(rows []uint32) error { return do(some, rows) })
	})
}

// inPortions reads rows in portions, as many at once as there may be threads, and does something with each while others
// are read: single-threaded queries side by side are cheaper than one query of several threads, and need less memory. What a
// portion is read into is used again.
func inPortions[T any](ctx context.Context, threads int, rows uint64, read func(ctx context.Context, into *T, i, of uint64) error, do func(some *T, i, of uint64) error) error {
	of := rows/portionRows + 1
	free, reading := make(chan *T, threads+2), make(chan struct{}, threads)
	for range cap(free) {
		free <- new(T)
	}
	group, within := errgroup.WithContext(ctx)
	for i := uint64(0); i < of && within.Err() == nil; i++ {
		some := <-free
		reading <- struct{}{}
		group.Go(func() error {
			defer func() { free <- some }()
			err := read(within, some, i, of)
			<-reading
			if err != nil {
				return err
			}
			return do(some, i, of)
		})
	}
	return cmp.Or(group.Wait(), ctx.Err())
}

// between are the arguments of a query that says where a portion of UUIDs begins and ends, and up to which position.
func between(i, of uint64, to Position) []any {
	return append(upTo(to), clickhouse.Named("first", border(i, of).String()), clickhouse.Named("beyond", border((i+1)%of, of).String()),
		clickhouse.Named("last", i+1 == of))
}

// border is where part i of all pseudonyms begins. ClickHouse compares the second half of a UUID first; with both
// halves alike the order does not matter.
func border(i, of uint64) uuid.UUID {
	var id uuid.UUID
	at := i * (math.MaxUint64/of + 1)
	if of == 1 {
		at = 0
	}
	binary.BigEndian.PutUint64(id[:8], at)
	binary.BigEndian.PutUint64(id[8:], at)
	return id
}

// sorted is an order of rows. Its memory is used again.
type sorted struct {
	rows   []uint32
	starts []uint32 // of buckets
}

// sort orders rows by UUIDs of portion i, rows with the same one side by side, and those by other UUIDs, where given.
func (s *sorted) sort(ids, then []uuid.UUID, i, of uint64) {
	// About one UUID in a bucket, since they are spread evenly, and buckets in the order in which ClickHouse has the rows, so
	// that memory is gone through from front to back. Where either is not so, the same comes out later.
	first, width := i*(math.MaxUint64/of+1), bits.Len(uint(len(ids)))
	bucket := func(id *uuid.UUID) uint64 {
		return (binary.BigEndian.Uint64(id[8:]) - first) * of >> (64 - width)
	}
	s.starts = slices.Grow(s.starts[:0], 1<<width+1)[:1<<width+1]
	clear(s.starts)
	s.rows = slices.Grow(s.rows[:0], len(ids))[:len(ids)]
	for i := range ids {
		s.starts[bucket(&ids[i])+1]++
	}
	for i := 1; i < len(s.starts); i++ {
		s.starts[i] += s.starts[i-1]
	}
	for i := range ids {
		at := &s.starts[bucket(&ids[i])] // ends up as the start of the next bucket
		s.rows[*at] = uint32(i)
		*at++
	}
	from := uint32(0)
	for _, to := range s.starts[:1<<width] {
		if to-from > 1 {
			slices.SortFunc(s.rows[from:to], func(i, j uint32) int {
				if then == nil || ids[i] != ids[j] {
					return bytes.Compare(ids[i][:], ids[j][:])
				}
				return bytes.Compare(then[i][:], then[j][:])
			})
		}
		from = to
	}
}

// each calls do with the rows of every UUID, which the rows were sorted by.
func (s *sorted) each(ids []uuid.UUID, do func(rows []uint32) error) error {
	for i := 0; i < len(s.rows); {
		first := i
		for i++; i < len(s.rows) && ids[s.rows[i]] == ids[s.rows[first]]; i++ {
		}
		if err := do(s.rows[first:i]); err != nil {
			return err
		}
	}
	return nil
}
