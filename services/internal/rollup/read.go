package rollup

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
)

// ReadCells calls do with every cell of a programme that has counts, as published, in no particular order.
func ReadCells(ctx context.Context, conn driver.Conn, programme string, do func(Cell, Counts) error) error {
	return queries.Each(ctx, conn, "stored", []any{clickhouse.Named("programme", programme)}, func(rows driver.Rows) error {
		var c Cell
		var day int32
		var level string
		var newly, lapsed, movedIn, movedOut uint32
		if err := rows.Scan(&c.Season, &day, &c.Place, &c.System, &level, &c.Code, &c.Quintile, &newly, &lapsed, &movedIn, &movedOut); err != nil {
			return err
		}
		c.Day, c.Level = calendar.Day(day), Level(level)
		return do(c, Counts{int64(newly), int64(lapsed), int64(movedIn), int64(movedOut)})
	})
}

// ReadEligible calls do with the eligible people of every cell of a programme, as published. The cell's day is the
// first day that the number is for; it holds until the next such day of the season.
func ReadEligible(ctx context.Context, conn driver.Conn, programme string, do func(c Cell, eligible uint64) error) error {
	return queries.Each(ctx, conn, "eligible", []any{clickhouse.Named("programme", programme)}, func(rows driver.Rows) error {
		var c Cell
		var day int32
		var level string
		var eligible uint64
		if err := rows.Scan(&c.Season, &day, &c.Place, &c.System, &level, &c.Code, &c.Quintile, &eligible); err != nil {
			return err
		}
		c.Day, c.Level = calendar.Day(day), Level(level)
		return do(c, eligible)
	})
}
