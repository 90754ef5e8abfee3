package livetable

import (
	"context"
	_ "embed" // the query
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
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
	rows, seasons := seasonsOf(set, today)
	if len(rows) == 0 {
		return t, nil
	}
	t.Rows = rows
	at := map[string]*Row{}
	for i := range rows {
		at[rows[i].Programme] = &rows[i]
	}
	if err := readUptake(ctx, conn, seasons, today, func(id string, q uint8, covered, eligible int64) {
		at[id].Covered[q], at[id].Eligible[q] = covered, eligible
	}); err != nil {
		return t, err
	}
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
		if row := at[id]; row != nil {
			row.Complete = calendar.Day(complete)
		}
		if v.verdict == "" {
			continue // nothing of it is judged yet
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
	complete := map[calendar.Day][]clickhouse.GroupSet{} // what is complete up to the same day
	for i, row := range rows {
		if row.Complete > 0 {
			complete[row.Complete] = append(complete[row.Complete], seasons[i])
		}
	}
	for day, seasons := range complete {
		if err := readUptake(ctx, conn, seasons, day, func(id string, q uint8, covered, eligible int64) {
			if q > 0 {
				at[id].Then[q-1] = inequality.Count{Covered: uint64(max(0, covered)), Eligible: uint64(max(0, eligible))}
			}
		}); err != nil {
			return t, err
		}
	}
	for i := range t.Rows {
		if of := widest[t.Rows[i].Programme]; len(of) == 1 { // several of one level: there is no verdict on all of them
			t.Rows[i].Verdict = of[0].verdict
		}
	}
	return t, nil
}

// seasonsOf are the rows of a table, still without people, and the programmes and seasons that they are of.
func seasonsOf(set *programme.Set, today calendar.Day) (rows []Row, seasons []clickhouse.GroupSet) {
	for _, p := range set.Programmes {
		if season, ok := seasonOf(p, today); ok {
			rows = append(rows, Row{Programme: p.ID, Season: season, Floor: uint64(p.Limits.Floor)})
			seasons = append(seasons, clickhouse.GroupSet{Value: []any{p.ID, season}})
		}
	}
	return rows, seasons
}

// readUptake calls found with the people of each programme and quintile on a day.
func readUptake(ctx context.Context, conn driver.Conn, seasons []clickhouse.GroupSet, day calendar.Day,
	found func(programme string, quintile uint8, covered, eligible int64)) error {
	result, err := conn.Query(ctx, uptakeQuery, clickhouse.Named("seasons", seasons), clickhouse.Named("today", day.String()))
	if err != nil {
		return fmt.Errorf("read uptake: %w", err)
	}
	defer result.Close() //nolint:errcheck // result.Err is checked
	for result.Next() {
		var id, season string
		var quintile uint8
		var covered, eligible int64
		if err := result.Scan(&id, &season, &quintile, &covered, &eligible); err != nil {
			return fmt.Errorf("read uptake: %w", err)
		}
		if quintile <= 5 {
			found(id, quintile, covered, eligible)
		}
	}
	if err := result.Err(); err != nil {
		return fmt.Errorf("read uptake: %w", err)
	}
	return nil
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
