package rollup

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/programme"
)

// portion is what everybody.sql says of some people, column by column, as ClickHouse holds it: so ten million rows are
// read without a call per field.
type portion struct {
	person, record         chproto.ColUUID
	micros                 chproto.ColInt64
	precedence             chproto.ColUInt64
	status, dose           chproto.ColUInt8
	day                    chproto.ColInt32
	season, lsoa, practice chproto.ColUInt64 // hashes, see codes
	ethnicity              chproto.ColUInt8  // the letter, 0 = not said

	first, of     uint64   // where its people begin, and of how many portions it is one
	starts, order []uint32 // of sortByPerson
}

// columns are those of everybody.sql, in its order.
func (p *portion) columns() []column {
	return []column{columnOf(&p.person), columnOf(&p.record), columnOf(&p.micros), columnOf(&p.precedence), columnOf(&p.status),
		columnOf(&p.day), columnOf(&p.dose), columnOf(&p.season), columnOf(&p.lsoa), columnOf(&p.ethnicity), columnOf(&p.practice)}
}

// column is a column that blocks are appended to: the library's own decoding takes one block at a time.
type column struct {
	kind  chproto.ColumnType
	reset func()
	read  func(in *chproto.Reader, rows int) error
}

func columnOf[T any, C ~[]T, P interface {
	*C
	chproto.Column
}](c P) column {
	return column{c.Type(), c.Reset, func(in *chproto.Reader, rows int) error {
		known := len(*c)
		*c = slices.Grow(*c, rows)
		block := (*c)[known:known] // there is room behind it: no copy is made
		if err := P(&block).DecodeColumn(in, rows); err != nil {
			return err
		}
		*c = append(*c, block...)
		return nil
	}}
}

// portionRows is about how many rows are held at once, by each reader and by who counts.
const portionRows = 150_000

// everybody calls do for every person of a programme, with the rows of that person: every version of every record up
// to a position, sorted by record. Both slices are used again. ClickHouse would sort ten million rows by person at
// three times the cost of reading them, so people come in portions of pseudonyms and are sorted here.
func (a *Aggregator) everybody(ctx context.Context, p *programme.Programme, to Position, do func(some *portion, rows []uint32) error) error {
	var rows uint64
	if err := a.each(ctx, "rows_of", []any{clickhouse.Named("programme", p.ID)}, func(r driver.Rows) error { return r.Scan(&rows) }); err != nil {
		return err
	}
	if rows == 0 {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	full, empty := make(chan *portion), make(chan *portion, a.config.Threads+1)
	for range cap(empty) {
		empty <- &portion{}
	}
	group.Go(func() error {
		defer close(full)
		return a.inPortions(ctx, rows/portionRows+1, func(ctx context.Context, i, of uint64) error {
			var some *portion
			select {
			case some = <-empty:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := a.readPortion(ctx, p, to, i, of, some); err != nil {
				return fmt.Errorf("everybody: %w", err)
			}
			some.sortByPerson()
			select {
			case full <- some:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	group.Go(func() error {
		for some := range full {
			for i := 0; i < len(some.order); {
				first := i
				for i++; i < len(some.order) && some.person[some.order[i]] == some.person[some.order[first]]; i++ {
				}
				if err := do(some, some.order[first:i]); err != nil {
					return err
				}
			}
			empty <- some
		}
		return nil
	})
	return group.Wait()
}

// inPortions calls do once for each of several portions, for as many at once as there may be threads: single-threaded
// queries side by side are cheaper than one query of several threads, and need less memory.
func (a *Aggregator) inPortions(ctx context.Context, portions uint64, do func(ctx context.Context, i, of uint64) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(a.config.Threads)
	for i := range portions {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return do(ctx, i, portions)
		})
	}
	return group.Wait()
}

// between are the arguments of a query that says where a portion of UUIDs begins and ends.
func between(i, of uint64) []any {
	return []any{clickhouse.Named("first", border(i, of).String()), clickhouse.Named("beyond", border((i+1)%of, of).String()),
		clickhouse.Named("last", i+1 == of)}
}

// readPortion reads the rows of one of several equal parts of all pseudonyms.
func (a *Aggregator) readPortion(ctx context.Context, p *programme.Programme, to Position, i, of uint64, some *portion) error {
	query, err := files.ReadFile("queries/everybody.sql")
	if err != nil {
		return err
	}
	body, err := a.config.ClickHouse.QueryFormat(ctx, "Native", string(query), slices.Concat(upTo(to), between(i, of),
		[]any{clickhouse.Named("programme", p.ID)})...)
	if err != nil {
		return err
	}
	defer body.Close()
	some.first, some.of = i*(math.MaxUint64/of+1), of
	columns := some.columns()
	for _, c := range columns {
		c.reset()
	}
	for in := chproto.NewReader(body); ; {
		// The answer may end before a block and nowhere else.
		start, err := in.UVarInt()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = readBlock(in, start, columns)
		}
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("the answer ends within a block: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
	}
}

// readBlock appends a block, whose first field has been read, as the driver asks for it: in the newest protocol that it
// knows.
func readBlock(in *chproto.Reader, field uint64, columns []column) (err error) {
	for ; field != 0 && err == nil; field, err = in.UVarInt() { // of totals and overflows, neither of which we ask for
		switch field {
		case 1:
			_, err = in.Bool()
		case 2:
			_, err = in.Int32()
		default:
			err = fmt.Errorf("block with a field %d", field)
		}
		if err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	n, err := in.Int()
	if err != nil {
		return err
	}
	if n != len(columns) {
		return fmt.Errorf("%d columns, not %d", n, len(columns))
	}
	rows, err := in.Int()
	if err != nil {
		return err
	}
	for _, c := range columns {
		name, err := in.Str()
		if err != nil {
			return err
		}
		kind, err := in.Str()
		if err != nil {
			return err
		}
		if chproto.ColumnType(kind) != c.kind {
			return fmt.Errorf("column %s is %s, not %s", name, kind, c.kind)
		}
		if special, err := in.Bool(); err != nil || special {
			return errors.Join(err, fmt.Errorf("column %s is written in a way of its own", name))
		}
		if err := c.read(in, rows); err != nil {
			return err
		}
	}
	return nil
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

// sortByPerson sets the order of the rows: those of one person side by side and sorted by record.
func (p *portion) sortByPerson() {
	rows := len(p.person)
	// About one person in a bucket, since pseudonyms are spread evenly, and buckets in the order in which ClickHouse has
	// the people, so that memory is gone through from front to back. Where either is not so, the same comes out later.
	width := bits.Len(uint(rows))
	bucket := func(person *uuid.UUID) uint64 {
		return (binary.BigEndian.Uint64(person[8:]) - p.first) * p.of >> (64 - width)
	}
	p.starts = append(p.starts[:0], make([]uint32, 1<<width+1)...)
	p.order = append(p.order[:0], make([]uint32, rows)...)
	for i := range p.person {
		p.starts[bucket(&p.person[i])+1]++
	}
	for i := 1; i < len(p.starts); i++ {
		p.starts[i] += p.starts[i-1]
	}
	for i := range p.person {
		at := &p.starts[bucket(&p.person[i])] // ends up as the start of the next bucket
		p.order[*at] = uint32(i)
		*at++
	}
	from := uint32(0)
	for _, to := range p.starts[:1<<width] {
		if to-from > 1 {
			slices.SortFunc(p.order[from:to], func(i, j uint32) int {
				if p.person[i] != p.person[j] {
					return bytes.Compare(p.person[i][:], p.person[j][:])
				}
				return bytes.Compare(p.record[i][:], p.record[j][:])
			})
		}
		from = to
	}
}
