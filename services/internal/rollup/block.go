package rollup

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// cellBlock gathers cells column by column, as ClickHouse takes them.
type cellBlock struct {
	season, place, system, level, code []string
	quintile                           []uint8
	day                                []time.Time
	newly, lapsed, movedIn, movedOut   []uint32
}

func (b *cellBlock) add(c Cell, n Counts) {
	b.season, b.place, b.system = append(b.season, c.Season), append(b.place, c.Place), append(b.system, c.System)
	b.level, b.code, b.quintile = append(b.level, string(c.Level)), append(b.code, c.Code), append(b.quintile, c.Quintile)
	b.day = append(b.day, c.Day.Time())
	b.newly, b.lapsed = append(b.newly, uint32(n.Newly)), append(b.lapsed, uint32(n.Lapsed))
	b.movedIn, b.movedOut = append(b.movedIn, uint32(n.MovedIn)), append(b.movedOut, uint32(n.MovedOut))
}

// blockCells is how many cells one insert has at most. Larger ones are little faster and take much memory, here and in
// ClickHouse.
const blockCells = 100_000

// maxSeasons is how many seasons, and so partitions, one insert may touch: ClickHouse refuses more than 100.
const maxSeasons = 50

// insertBlock writes a block of a programme's cells under an id and empties it.
func (a *Aggregator) insertBlock(ctx context.Context, programme string, id *big.Int, b *cellBlock) error {
	if len(b.day) == 0 {
		return nil
	}
	if seasons := slices.Compact(slices.Sorted(slices.Values(b.season))); len(seasons) > maxSeasons {
		return fmt.Errorf("programme %s: a step touches %d seasons, more than one insert may", programme, len(seasons))
	}
	rows := len(b.day)
	ids := slices.Repeat([]*big.Int{id}, rows)
	// Texts go as plain strings: the server makes its dictionaries faster than the driver does.
	ctx = clickhouse.Context(ctx, clickhouse.WithColumnNamesAndTypes(cellColumns))
	if err := a.insertColumns(ctx, "INSERT INTO prevention.uptake_cells (programme, season, place, system, level, code, quintile, day, id, newly, lapsed, moved_in, moved_out)",
		slices.Repeat([]string{programme}, rows), b.season, b.place, b.system, b.level, b.code, b.quintile, b.day, ids,
		b.newly, b.lapsed, b.movedIn, b.movedOut); err != nil {
		return err
	}
	*b = cellBlock{b.season[:0], b.place[:0], b.system[:0], b.level[:0], b.code[:0], b.quintile[:0], b.day[:0],
		b.newly[:0], b.lapsed[:0], b.movedIn[:0], b.movedOut[:0]}
	return nil
}

var cellColumns = []clickhouse.ColumnNameAndType{
	{Name: "programme", Type: "String"}, {Name: "season", Type: "String"}, {Name: "place", Type: "String"},
	{Name: "system", Type: "String"}, {Name: "level", Type: "String"}, {Name: "code", Type: "String"},
	{Name: "quintile", Type: "UInt8"}, {Name: "day", Type: "Date32"}, {Name: "id", Type: "UInt128"},
	{Name: "newly", Type: "UInt32"}, {Name: "lapsed", Type: "UInt32"}, {Name: "moved_in", Type: "UInt32"}, {Name: "moved_out", Type: "UInt32"},
}

func (a *Aggregator) insertColumns(ctx context.Context, statement string, columns ...any) error {
	batch, err := a.config.ClickHouse.PrepareBatch(ctx, statement, driver.WithReleaseConnection())
	if err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing to lose
	for i, column := range columns {
		if err := batch.Column(i).Append(column); err != nil {
			return fmt.Errorf("%s: column %d: %w", statement, i, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
