package livetable

import (
	"context"
	_ "embed" // the query
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

//go:embed uptake.sql
var uptakeQuery string

// Read is a row for each programme that has a season on a day: the one that is running, or the last one that was. Errors
// are the driver's: retry.
func Read(ctx context.Context, conn driver.Conn, set *programme.Set, today calendar.Day) ([]Row, error) {
	var rows []Row
	var seasons []clickhouse.GroupSet
	at := map[[2]string]int{}
	for _, p := range set.Programmes {
		season, ok := seasonOf(p, today)
		if !ok {
			continue
		}
		at[[2]string{p.ID, season}] = len(rows)
		rows = append(rows, Row{Programme: p.ID, Season: season})
		seasons = append(seasons, clickhouse.GroupSet{Value: []any{p.ID, season}})
	}
	if len(rows) == 0 {
		return nil, nil
	}
	result, err := conn.Query(ctx, uptakeQuery, clickhouse.Named("seasons", seasons), clickhouse.Named("today", today.String()))
	if err != nil {
		return nil, fmt.Errorf("read uptake: %w", err)
	}
	defer result.Close() //nolint:errcheck // result.Err is checked
	for result.Next() {
		var id, season string
		var quintile uint8
		var covered, eligible int64
		if err := result.Scan(&id, &season, &quintile, &covered, &eligible); err != nil {
			return nil, fmt.Errorf("read uptake: %w", err)
		}
		if i, ok := at[[2]string{id, season}]; ok && quintile <= 5 {
			rows[i].Covered[quintile], rows[i].Eligible[quintile] = covered, eligible
		}
	}
	if err := result.Err(); err != nil {
		return nil, fmt.Errorf("read uptake: %w", err)
	}
	return rows, nil
}

// seasonOf is the id of the last season that has begun.
func seasonOf(p *programme.Programme, today calendar.Day) (id string, ok bool) {
	if p.Kind == programme.Rolling {
		return programme.RollingSeason, true
	}
	for _, s := range p.Seasons {
		if s.Start <= today {
			id, ok = s.ID, true
		}
	}
	return id, ok
}
