package rollup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
)

// column is a column that blocks are appended to: the library's own decoding takes one block at a time.
type column struct {
	kind  chproto.ColumnType
	clear func(room int) // and make room for so many rows
	read  func(in *chproto.Reader, rows int) error
}

func columnOf[T any, C ~[]T, P interface {
	*C
	chproto.Column
}](c P) column {
	makeRoom := func(rows int) { *c = slices.Grow((*c)[:0], rows) }
	return column{c.Type(), makeRoom, func(in *chproto.Reader, rows int) error {
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

// whole asks for an answer only when there is all of it. The embedded engine answers earlier; there an error stands where
// the next block would, and readBlock finds it. The driver need then not look for one in every byte, which took a tenth of a
// full count.
var whole = clickhouse.Settings{"wait_end_of_query": 1}

// readColumns runs queries/<name>.sql and sets columns to its result, whole columns as ClickHouse holds them: so ten million
// rows are read without a call per field. about is how many rows there will be: columns are not copied while they grow.
func (a *Aggregator) readColumns(ctx context.Context, name string, args []any, about uint64, columns []column) error {
	query, err := files.ReadFile("queries/" + name + ".sql")
	if err != nil {
		return err
	}
	body, err := a.config.ClickHouse.QueryFormat(clickhouse.Context(ctx, clickhouse.WithSettings(whole)), "Native", string(query), args...)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer body.Close()
	for _, c := range columns {
		c.clear(int(about + about/32)) // pseudonyms are spread evenly, but not quite
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
			return fmt.Errorf("%s: %w", name, err)
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
			text, _ := io.ReadAll(io.LimitReader(in, 1<<10))
			err = fmt.Errorf("no block: %q", append([]byte{byte(field)}, text...))
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
