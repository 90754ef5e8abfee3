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
)

// cellBlock gathers cells column by column, as ClickHouse takes them: texts as dictionaries, which cost several times
// less than plain texts to make here and to read there.
type cellBlock struct {
	programme string
	id        *big.Int

	season, place, system, level, code textColumn
	quintile                           chproto.ColUInt8
	day                                chproto.ColDate32
	newly, lapsed, movedIn, movedOut   chproto.ColUInt32

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

func (b *cellBlock) rows() int { return len(b.day) }

func (b *cellBlock) add(c Cell, n Counts) {
	b.season.add(c.Season)
	b.place.add(c.Place)
	b.system.add(c.System)
	b.level.add(string(c.Level))
	b.code.add(c.Code)
	b.quintile, b.day = append(b.quintile, c.Quintile), append(b.day, chproto.Date32(c.Day))
	b.newly, b.lapsed = append(b.newly, uint32(n.Newly)), append(b.lapsed, uint32(n.Lapsed))
	b.movedIn, b.movedOut = append(b.movedIn, uint32(n.MovedIn)), append(b.movedOut, uint32(n.MovedOut))
}

func (b *cellBlock) reset() {
	for _, t := range []*textColumn{&b.season, &b.place, &b.system, &b.level, &b.code} {
		t.reset()
	}
	b.quintile, b.day = b.quintile[:0], b.day[:0]
	b.newly, b.lapsed, b.movedIn, b.movedOut = b.newly[:0], b.lapsed[:0], b.movedIn[:0], b.movedOut[:0]
}

// blockCells is how many cells are gathered before they are handed over, and insertCells how many one insert has at most:
// ClickHouse makes one part of it. Smaller parts are merged more often, larger ones take more memory there.
const (
	blockCells  = 50_000
	insertCells = 1 << 20
)

// maxSeasons is how many seasons, and so partitions, one insert may touch: ClickHouse refuses more than 100.
const maxSeasons = 50

// inserting has ClickHouse take the blocks of an insert as one, write the rows as they come, since no two are of the same
// cell and id, and confirm only then (see store.Insert).
var inserting = clickhouse.Settings{"min_insert_block_size_rows": insertCells, "max_insert_threads": 1, "optimize_on_insert": 0, "async_insert": 0}

// insert writes cells of a programme under an id, in one insert. each calls add for every cell; it is best to do so in the
// order of the table.
func (a *Aggregator) insert(ctx context.Context, programme string, id *big.Int, each func(add func(Cell, Counts) error) error) error {
	read, write := io.Pipe()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		block := cellBlock{programme: programme, id: id}
		err := each(func(c Cell, n Counts) error {
			block.add(c, n)
			if block.rows() < blockCells {
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
			"INSERT INTO prevention.uptake_cells (programme, season, place, system, level, code, quintile, day, id, newly, lapsed, moved_in, moved_out)", read)
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
	if seasons := b.season.texts.Rows(); seasons > maxSeasons {
		return fmt.Errorf("programme %s: a step touches %d seasons, more than one insert may", b.programme, seasons)
	}
	of := chproto.ColLowCardinalityRaw{Index: new(chproto.ColStr), Key: chproto.KeyUInt8, Keys8: make(chproto.ColUInt8, b.rows())}
	of.Index.(*chproto.ColStr).Append(b.programme)
	low := new(big.Int).And(b.id, new(big.Int).SetUint64(1<<64-1)).Uint64()
	ids := slices.Repeat(chproto.ColUInt128{{Low: low, High: new(big.Int).Rsh(b.id, 64).Uint64()}}, b.rows())
	columns := []chproto.InputColumn{
		{Name: "programme", Data: &of}, {Name: "season", Data: b.season.column()}, {Name: "place", Data: b.place.column()},
		{Name: "system", Data: b.system.column()}, {Name: "level", Data: b.level.column()}, {Name: "code", Data: b.code.column()},
		{Name: "quintile", Data: b.quintile}, {Name: "day", Data: b.day}, {Name: "id", Data: ids},
		{Name: "newly", Data: b.newly}, {Name: "lapsed", Data: b.lapsed}, {Name: "moved_in", Data: b.movedIn}, {Name: "moved_out", Data: b.movedOut},
	}
	b.body.Reset()
	if err := (chproto.Block{Columns: len(columns), Rows: b.rows()}).EncodeRawBlock(&b.body, 0, columns); err != nil {
		return fmt.Errorf("cells: %w", err)
	}
	b.reset()
	_, err := out.Write(b.body.Buf)
	return err
}
