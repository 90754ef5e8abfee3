package rollup

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/big"
	"slices"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/calendar"
)

// cellBlock gathers cells column by column, as ClickHouse takes them, a row for each month of a series: texts as
// dictionaries, which cost several times less than plain texts to make here and to read there.
type cellBlock struct {
	programme string
	id        *big.Int

	season, place, system, level, code textColumn
	quintile                           chproto.ColUInt8
	month                              chproto.ColDate32
	ends                               chproto.ColUInt64 // where the days of each row end among the following
	day                                chproto.ColUInt8
	newly, lapsed, movedIn, movedOut   chproto.ColUInt32

	last Cell         // added last
	next calendar.Day // the first day after the month it is in

	body chproto.Buffer // of the block written last
}

// textColumn is a column of few different texts, most of them like the one before.
type textColumn struct {
	texts   chproto.ColStr
	rows    chproto.ColUInt32 // which of texts
	numbers map[string]uint32
	last    string
}

func (t *textColumn) add(text string) {
	if n := len(t.rows); n > 0 && text == t.last {
		t.rows = append(t.rows, t.rows[n-1])
		return
	}
	number, known := t.numbers[text]
	if !known {
		if t.numbers == nil {
			t.numbers = map[string]uint32{}
		}
		number = uint32(t.texts.Rows())
		t.texts.Append(text)
		t.numbers[text] = number
	}
	t.rows, t.last = append(t.rows, number), text
}

func (t *textColumn) reset() {
	t.texts.Reset()
	t.rows.Reset()
	clear(t.numbers)
}

func (t *textColumn) column() chproto.ColInput {
	return &chproto.ColLowCardinalityRaw{Index: &t.texts, Key: chproto.KeyUInt32, Keys32: t.rows}
}

func (b *cellBlock) rows() int { return len(b.month) }

// add takes a cell in. Cells of one month of a series share a row if they come one after the other, earlier days first.
func (b *cellBlock) add(c Cell, n Counts) {
	day := c.Day
	c.Day = b.last.Day
	if rows := b.rows(); rows > 0 && c == b.last && day > b.last.Day && day < b.next {
		b.ends[rows-1]++
	} else {
		b.row(c, day)
	}
	b.last.Day = day
	b.day = append(b.day, uint8(day-calendar.Day(b.month[b.rows()-1])+1))
	b.newly, b.lapsed = append(b.newly, uint32(n.Newly)), append(b.lapsed, uint32(n.Lapsed))
	b.movedIn, b.movedOut = append(b.movedIn, uint32(n.MovedIn)), append(b.movedOut, uint32(n.MovedOut))
}

// row begins a row with its first day.
func (b *cellBlock) row(c Cell, day calendar.Day) {
	b.season.add(c.Season)
	b.place.add(c.Place)
	b.system.add(c.System)
	b.level.add(string(c.Level))
	b.code.add(c.Code)
	year, month, _ := day.Time().Date()
	first := calendar.Date(year, month, 1)
	b.quintile, b.month = append(b.quintile, c.Quintile), append(b.month, chproto.Date32(first))
	b.ends = append(b.ends, uint64(len(b.day))+1)
	b.last, b.next = c, first.AddMonths(1)
}

func (b *cellBlock) reset() {
	for _, t := range []*textColumn{&b.season, &b.place, &b.system, &b.level, &b.code} {
		t.reset()
	}
	b.quintile, b.month, b.ends, b.day = b.quintile[:0], b.month[:0], b.ends[:0], b.day[:0]
	b.newly, b.lapsed, b.movedIn, b.movedOut = b.newly[:0], b.lapsed[:0], b.movedIn[:0], b.movedOut[:0]
}

// blockCells is how many cells are gathered before they are handed over, and insertCells how many one insert has at most:
// ClickHouse makes one part of it. Smaller parts are merged more often, larger ones take more memory there.
const (
	blockCells  = 50_000
	insertCells = 1 << 22
)

// maxSeasons is how many seasons, and so partitions, one insert may touch: ClickHouse refuses more than 100.
const maxSeasons = 50

// inserting has ClickHouse take the blocks of an insert as one and confirm only when it is written (see store.Insert).
var inserting = clickhouse.Settings{"min_insert_block_size_rows": insertCells, "max_insert_threads": 1, "async_insert": 0}

// insert writes cells of a programme under an id, in one insert. each calls add for every cell, of no more than maxSeasons
// seasons; it is best to do so in the order of the table.
func (a *Aggregator) insert(ctx context.Context, programme string, id *big.Int, each func(add func(Cell, Counts) error) error) error {
	read, write := io.Pipe()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		block := cellBlock{programme: programme, id: id}
		err := each(func(c Cell, n Counts) error {
			block.add(c, n)
			if len(block.day) < blockCells {
				return nil
			}
			return block.writeTo(write)
		})
		if err == nil {
			err = block.writeTo(write)
		}
		_ = write.CloseWithError(err) // without an error, the end
		return err
	})
	group.Go(func() error {
		err := a.config.ClickHouse.InsertFormat(clickhouse.Context(ctx, clickhouse.WithSettings(inserting)), "Native",
			"INSERT INTO prevention.uptake_months (programme, season, place, system, level, code, quintile, month, id, days.day, days.newly, days.lapsed, days.moved_in, days.moved_out)", read)
		if err != nil {
			err = fmt.Errorf("insert cells: %w", err)
		}
		_ = read.CloseWithError(cmp.Or(err, io.ErrClosedPipe)) // whoever writes on waits for nobody
		return err
	})
	return group.Wait()
}

// writeTo writes the block out and empties it.
func (b *cellBlock) writeTo(out io.Writer) error {
	if b.rows() == 0 {
		return nil
	}
	of := chproto.ColLowCardinalityRaw{Index: new(chproto.ColStr), Key: chproto.KeyUInt8, Keys8: make(chproto.ColUInt8, b.rows())}
	of.Index.(*chproto.ColStr).Append(b.programme)
	low := new(big.Int).And(b.id, new(big.Int).SetUint64(1<<64-1)).Uint64()
	ids := slices.Repeat(chproto.ColUInt128{{Low: low, High: new(big.Int).Rsh(b.id, 64).Uint64()}}, b.rows())
	counts := func(of *chproto.ColUInt32) chproto.ColInput {
		return &chproto.ColArr[uint32]{Offsets: b.ends, Data: of}
	}
	columns := []chproto.InputColumn{
		{Name: "programme", Data: &of}, {Name: "season", Data: b.season.column()}, {Name: "place", Data: b.place.column()},
		{Name: "system", Data: b.system.column()}, {Name: "level", Data: b.level.column()}, {Name: "code", Data: b.code.column()},
		{Name: "quintile", Data: b.quintile}, {Name: "month", Data: b.month}, {Name: "id", Data: ids},
		{Name: "days.day", Data: &chproto.ColArr[uint8]{Offsets: b.ends, Data: &b.day}}, {Name: "days.newly", Data: counts(&b.newly)},
		{Name: "days.lapsed", Data: counts(&b.lapsed)}, {Name: "days.moved_in", Data: counts(&b.movedIn)},
		{Name: "days.moved_out", Data: counts(&b.movedOut)},
	}
	b.body.Reset()
	if err := (chproto.Block{Columns: len(columns), Rows: b.rows()}).EncodeRawBlock(&b.body, 0, columns); err != nil {
		return fmt.Errorf("cells: %w", err)
	}
	b.reset()
	_, err := out.Write(b.body.Buf)
	return err
}
