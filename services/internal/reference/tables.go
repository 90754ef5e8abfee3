package reference

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/load"
)

// table is a table of reference data whose rows carry the number of a batch.
type table struct {
	name string
	kind string // of the loads that fill it
	key  string // SQL: the key in prevention.loads that a row belongs to
}

var tables = []table{
	{"prevention.lookups", string(load.Lookup), "relation"},
	{"prevention.areas", kindAreas, "''"},
	{"prevention.names", string(load.Names), "concat(level, '/', relation)"},
	{"prevention.practices", string(load.Practices), "''"},
	{"prevention.eligible", string(load.Eligible), "concat(programme, '/', season, '/', toString(valid_from))"},
	{"prevention.history", string(load.History), "concat(programme, '/', season, '/', geography)"},
	{"prevention.interventions", string(load.Interventions), "programme"},
	{"prevention.flags", string(load.Flags), "concat(label, '\\t', source)"},
}

// kindAreas is the kind of what is resolved from look-ups; no file has it.
const kindAreas = "areas"

// chunk is how many rows one insert has: at most some 10 MB.
const chunk = 100_000

// rowsOf writes rows of one kind, in inserts of at most chunk rows, one column after the other.
type rowsOf[Row any] struct {
	ctx     context.Context
	conn    driver.Conn
	table   string
	columns string
	fill    func(driver.Batch, []Row) error
	pending []Row
	rows    uint64 // given so far
}

func (w *rowsOf[Row]) add(row Row) error {
	w.pending = append(w.pending, row)
	w.rows++
	if len(w.pending) < chunk {
		return nil
	}
	return w.flush()
}

// flush writes what is pending. It must be called after the last row.
func (w *rowsOf[Row]) flush() error {
	if len(w.pending) == 0 {
		return nil
	}
	batch, err := w.conn.PrepareBatch(w.ctx, "INSERT INTO "+w.table+" ("+w.columns+")")
	if err != nil {
		return fmt.Errorf("insert into %s: %w", w.table, err)
	}
	defer batch.Close() //nolint:errcheck // Send reports what matters
	if err := w.fill(batch, w.pending); err != nil {
		return fmt.Errorf("insert into %s: %w", w.table, err)
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("insert into %s: %w", w.table, err)
	}
	w.pending = w.pending[:0]
	return nil
}

// filler fills the columns of a batch one by one and keeps the first error.
type filler[Row any] struct {
	batch driver.Batch
	rows  []Row
	next  int
	err   error
}

func column[Row, Value any](f *filler[Row], value func(*Row) Value) {
	if f.err != nil {
		return
	}
	values := make([]Value, len(f.rows))
	for i := range f.rows {
		values[i] = value(&f.rows[i])
	}
	f.err = f.batch.Column(f.next).Append(values)
	f.next++
}

type lookupRow struct {
	relation, code, target string
	depr                   area.Deprivation
}

func lookupRows(ctx context.Context, conn driver.Conn, batch uint64) *rowsOf[lookupRow] {
	return &rowsOf[lookupRow]{
		ctx: ctx, conn: conn, table: "prevention.lookups", columns: "batch, relation, code, target, rank, decile",
		fill: func(b driver.Batch, rows []lookupRow) error {
			f := &filler[lookupRow]{batch: b, rows: rows}
			column(f, func(*lookupRow) uint64 { return batch })
			column(f, func(r *lookupRow) string { return r.relation })
			column(f, func(r *lookupRow) string { return r.code })
			column(f, func(r *lookupRow) string { return r.target })
			column(f, func(r *lookupRow) uint32 { return r.depr.Rank })
			column(f, func(r *lookupRow) uint8 { return r.depr.Decile })
			return f.err
		},
	}
}

func areaRows(ctx context.Context, conn driver.Conn, batch uint64) *rowsOf[area.Resolved] {
	return &rowsOf[area.Resolved]{
		ctx: ctx, conn: conn, table: "prevention.areas",
		columns: "batch, lsoa, neighbourhood, place, system, region, quintile_2019, quintile_2025, rank_2019, rank_2025",
		fill: func(b driver.Batch, rows []area.Resolved) error {
			f := &filler[area.Resolved]{batch: b, rows: rows}
			column(f, func(*area.Resolved) uint64 { return batch })
			column(f, func(r *area.Resolved) string { return r.LSOA })
			column(f, func(r *area.Resolved) string { return r.Neighbourhood })
			column(f, func(r *area.Resolved) string { return r.Place })
			column(f, func(r *area.Resolved) string { return r.System })
			column(f, func(r *area.Resolved) string { return r.Region })
			column(f, func(r *area.Resolved) uint8 { return r.Quintile2019 })
			column(f, func(r *area.Resolved) uint8 { return r.Quintile2025 })
			column(f, func(r *area.Resolved) uint32 { return r.Rank2019 })
			column(f, func(r *area.Resolved) uint32 { return r.Rank2025 })
			return f.err
		},
	}
}

type nameRow struct{ level, relation, code, name string }

func nameRows(ctx context.Context, conn driver.Conn, batch uint64) *rowsOf[nameRow] {
	return &rowsOf[nameRow]{
		ctx: ctx, conn: conn, table: "prevention.names", columns: "batch, level, relation, code, name",
		fill: func(b driver.Batch, rows []nameRow) error {
			f := &filler[nameRow]{batch: b, rows: rows}
			column(f, func(*nameRow) uint64 { return batch })
			column(f, func(r *nameRow) string { return r.level })
			column(f, func(r *nameRow) string { return r.relation })
			column(f, func(r *nameRow) string { return r.code })
			column(f, func(r *nameRow) string { return r.name })
			return f.err
		},
	}
}

type practiceRow struct{ practice, pcn string }

func practiceRows(ctx context.Context, conn driver.Conn, batch uint64) *rowsOf[practiceRow] {
	return &rowsOf[practiceRow]{
		ctx: ctx, conn: conn, table: "prevention.practices", columns: "batch, practice, pcn",
		fill: func(b driver.Batch, rows []practiceRow) error {
			f := &filler[practiceRow]{batch: b, rows: rows}
			column(f, func(*practiceRow) uint64 { return batch })
			column(f, func(r *practiceRow) string { return r.practice })
			column(f, func(r *practiceRow) string { return r.pcn })
			return f.err
		},
	}
}

func eligibleRows(ctx context.Context, conn driver.Conn, batch uint64) *rowsOf[load.EligibleRow] {
	return &rowsOf[load.EligibleRow]{
		ctx: ctx, conn: conn, table: "prevention.eligible",
		columns: "batch, programme, season, valid_from, lsoa, practice, ethnicity, eligible",
		fill: func(b driver.Batch, rows []load.EligibleRow) error {
			f := &filler[load.EligibleRow]{batch: b, rows: rows}
			column(f, func(*load.EligibleRow) uint64 { return batch })
			column(f, func(r *load.EligibleRow) string { return r.Programme })
			column(f, func(r *load.EligibleRow) string { return r.Season })
			column(f, func(r *load.EligibleRow) time.Time { return r.ValidFrom.Time() })
			column(f, func(r *load.EligibleRow) string { return r.LSOA })
			column(f, func(r *load.EligibleRow) string { return r.Practice })
			column(f, func(r *load.EligibleRow) string { return r.Ethnicity })
			column(f, func(r *load.EligibleRow) uint32 { return r.Eligible })
			return f.err
		},
	}
}

func historyRows(ctx context.Context, conn driver.Conn, batch uint64) *rowsOf[load.HistoryRow] {
	return &rowsOf[load.HistoryRow]{
		ctx: ctx, conn: conn, table: "prevention.history",
		columns: "batch, programme, season, geography, day, quintile, covered, eligible",
		fill: func(b driver.Batch, rows []load.HistoryRow) error {
			f := &filler[load.HistoryRow]{batch: b, rows: rows}
			column(f, func(*load.HistoryRow) uint64 { return batch })
			column(f, func(r *load.HistoryRow) string { return r.Programme })
			column(f, func(r *load.HistoryRow) string { return r.Season })
			column(f, func(r *load.HistoryRow) string { return r.Geography })
			column(f, func(r *load.HistoryRow) time.Time { return r.Day.Time() })
			column(f, func(r *load.HistoryRow) uint8 { return r.Quintile })
			column(f, func(r *load.HistoryRow) uint64 { return r.Covered })
			column(f, func(r *load.HistoryRow) uint64 { return r.Eligible })
			return f.err
		},
	}
}

func interventionRows(ctx context.Context, conn driver.Conn, batch uint64) *rowsOf[load.InterventionRow] {
	return &rowsOf[load.InterventionRow]{
		ctx: ctx, conn: conn, table: "prevention.interventions",
		columns: "batch, programme, geography, from_day, to_day, label",
		fill: func(b driver.Batch, rows []load.InterventionRow) error {
			f := &filler[load.InterventionRow]{batch: b, rows: rows}
			column(f, func(*load.InterventionRow) uint64 { return batch })
			column(f, func(r *load.InterventionRow) string { return r.Programme })
			column(f, func(r *load.InterventionRow) string { return r.Geography })
			column(f, func(r *load.InterventionRow) time.Time { return r.From.Time() })
			column(f, func(r *load.InterventionRow) time.Time { return r.To.Time() })
			column(f, func(r *load.InterventionRow) string { return r.Label })
			return f.err
		},
	}
}

func flagRows(ctx context.Context, conn driver.Conn, batch uint64) *rowsOf[load.FlagRow] {
	return &rowsOf[load.FlagRow]{
		ctx: ctx, conn: conn, table: "prevention.flags", columns: "batch, code, label, source, from_day, to_day",
		fill: func(b driver.Batch, rows []load.FlagRow) error {
			f := &filler[load.FlagRow]{batch: b, rows: rows}
			column(f, func(*load.FlagRow) uint64 { return batch })
			column(f, func(r *load.FlagRow) string { return r.Code })
			column(f, func(r *load.FlagRow) string { return r.Label })
			column(f, func(r *load.FlagRow) string { return r.Source })
			column(f, func(r *load.FlagRow) time.Time { return r.From.Time() })
			column(f, func(r *load.FlagRow) time.Time { return r.To.Time() })
			return f.err
		},
	}
}

// count is how many rows a table has of a batch.
func (t table) count(ctx context.Context, conn driver.Conn, batch uint64) (uint64, error) {
	var n uint64
	err := conn.QueryRow(ctx, "SELECT count() FROM "+t.name+" WHERE batch = @batch", clickhouse.Named("batch", batch)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", t.name, err)
	}
	return n, nil
}
