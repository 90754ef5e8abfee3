package livetable

import (
	"context"
	_ "embed" // the query
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

//go:embed uptake.sql
var uptakeQuery string

//go:embed verdicts.sql
var verdictsQuery string

// Read is a table with a row for each programme that has a season on a day: the one that is running, or the last one
// that was. Below it stand the sentences of all places and systems whose gap widens or narrows. Errors are the driver's:
// retry.
func Read(ctx context.Context, conn driver.Conn, set *programme.Set, today calendar.Day) (t Table, err error) {
	rows, seasons, err := readUptake(ctx, conn, set, today)
	if err != nil || len(rows) == 0 {
		return t, err
	}
	t.Rows = rows
	result, err := conn.Query(ctx, verdictsQuery, clickhouse.Named("seasons", seasons))
	if err != nil {
		return t, fmt.Errorf("read verdicts: %w", err)
	}
	defer result.Close() //nolint:errcheck // result.Err is checked
	type verdict struct{ level, code, verdict string }
	widest := map[string][]verdict{} // by programme: those of the widest level
	for result.Next() {
		var id, season, sentence string
		var v verdict
		var shown bool
		var complete int32
		if err := result.Scan(&id, &season, &v.level, &v.code, &v.verdict, &sentence, &shown, &complete); err != nil {
			return t, fmt.Errorf("read verdicts: %w", err)
		}
		for i := range t.Rows {
			if t.Rows[i].Programme == id {
				t.Rows[i].Complete = calendar.Day(complete)
			}
		}
		if of := widest[id]; len(of) == 0 || of[0].level == v.level {
			widest[id] = append(of, v)
		}
		if (v.level == "place" || v.level == "system") && (v.verdict == "widening" || v.verdict == "narrowing") {
			if !shown {
				sentence = id + " in " + v.code + ": figures withheld, small numbers"
			}
			t.Foot = append(t.Foot, strings.ToUpper(v.verdict)+": "+sentence)
		}
	}
	if err := result.Err(); err != nil {
		return t, fmt.Errorf("read verdicts: %w", err)
	}
	for i := range t.Rows {
		if of := widest[t.Rows[i].Programme]; len(of) == 1 { // several of one level: there is no verdict on all of them
			t.Rows[i].Verdict = of[0].verdict
		}
	}
	return t, nil
}

// readUptake are the rows without verdicts, and the programmes and seasons that they are of.
func readUptake(ctx context.Context, conn driver.Conn, set *programme.Set, today calendar.Day) ([]Row, []clickhouse.GroupSet, error) {
	var rows []Row
	var seasons []clickhouse.GroupSet
	at := map[[2]string]int{}
	for _, p := range set.Programmes {
		season, ok := seasonOf(p, today)
		if !ok {
			continue
		}
		at[[2]string{p.ID, season}] = len(rows)
		rows = append(rows, Row{Programme: p.ID, Season: season, Floor: uint64(p.Limits.Floor)})
		seasons = append(seasons, clickhouse.GroupSet{Value: []any{p.ID, season}})
	}
	if len(rows) == 0 {
		return nil, nil, nil
	}
	result, err := conn.Query(ctx, uptakeQuery, clickhouse.Named("seasons", seasons), clickhouse.Named("today", today.String()))
	if err != nil {
		return nil, nil, fmt.Errorf("read uptake: %w", err)
	}
	defer result.Close() //nolint:errcheck // result.Err is checked
	for result.Next() {
		var id, season string
		var quintile uint8
		var covered, eligible int64
		if err := result.Scan(&id, &season, &quintile, &covered, &eligible); err != nil {
			return nil, nil, fmt.Errorf("read uptake: %w", err)
		}
		if i, ok := at[[2]string{id, season}]; ok && quintile <= 5 {
			rows[i].Covered[quintile], rows[i].Eligible[quintile] = covered, eligible
		}
	}
	if err := result.Err(); err != nil {
		return nil, nil, fmt.Errorf("read uptake: %w", err)
	}
	return rows, seasons, nil
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
