package rollup

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"slices"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
)

// cellBlock gathers cells column by column, as ClickHouse takes them: texts as dictionaries, which cost several times
// less than plain texts to make here and to read there.
type cellBlock struct {
	season, place, system, level, code textColumn
	quintile                           chproto.ColUInt8
	day                                chproto.ColDate32
	newly, lapsed, movedIn, movedOut   chproto.ColUInt32
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

// blockCells is how many cells one insert has at most. Smaller ones make more parts, which ClickHouse then spends more
// time on merging than on the inserts; larger ones take more memory, here and there.
const blockCells = 300_000

// cellBytes is how much a cell takes in an insert, dictionaries left out of account.
const cellBytes = 5*4 + 1 + 1 + 4 + 16 + 4*4 + 2

// maxSeasons is how many seasons, and so partitions, one insert may touch: ClickHouse refuses more than 100.
const maxSeasons = 50

// noMerge has an insert write its rows as they come, since no two are of the same cell and id, and before it is confirmed
// (see store.Insert).
var noMerge = clickhouse.Settings{"optimize_on_insert": 0, "async_insert": 0}

// insertBlock writes a block of a programme's cells under an id and empties it.
func (a *Aggregator) insertBlock(ctx context.Context, programme string, id *big.Int, b *cellBlock) error {
	if b.rows() == 0 {
		return nil
	}
	if seasons := b.season.texts.Rows(); seasons > maxSeasons {
		return fmt.Errorf("programme %s: a step touches %d seasons, more than one insert may", programme, seasons)
	}
	of := chproto.ColLowCardinalityRaw{Index: new(chproto.ColStr), Key: chproto.KeyUInt8, Keys8: make(chproto.ColUInt8, b.rows())}
	of.Index.(*chproto.ColStr).Append(programme)
	low := new(big.Int).And(id, new(big.Int).SetUint64(1<<64-1)).Uint64()
	ids := slices.Repeat(chproto.ColUInt128{{Low: low, High: new(big.Int).Rsh(id, 64).Uint64()}}, b.rows())
	columns := []chproto.InputColumn{
		{Name: "programme", Data: &of}, {Name: "season", Data: b.season.column()}, {Name: "place", Data: b.place.column()},
		{Name: "system", Data: b.system.column()}, {Name: "level", Data: b.level.column()}, {Name: "code", Data: b.code.column()},
		{Name: "quintile", Data: b.quintile}, {Name: "day", Data: b.day}, {Name: "id", Data: ids},
		{Name: "newly", Data: b.newly}, {Name: "lapsed", Data: b.lapsed}, {Name: "moved_in", Data: b.movedIn}, {Name: "moved_out", Data: b.movedOut},
	}
	body := chproto.Buffer{Buf: make([]byte, 0, b.rows()*cellBytes)}
	if err := (chproto.Block{Columns: len(columns), Rows: b.rows()}).EncodeRawBlock(&body, 0, columns); err != nil {
		return fmt.Errorf("cells: %w", err)
	}
	if err := a.config.ClickHouse.InsertFormat(clickhouse.Context(ctx, clickhouse.WithSettings(noMerge)), "Native",
		"INSERT INTO prevention.uptake_cells (programme, season, place, system, level, code, quintile, day, id, newly, lapsed, moved_in, moved_out)",
		bytes.NewReader(body.Buf)); err != nil {
		return fmt.Errorf("insert cells: %w", err)
	}
	b.reset()
	return nil
}
