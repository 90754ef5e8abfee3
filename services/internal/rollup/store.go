package rollup

import (
	"context"
	"embed"
	"math/big"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/uptake"
)

//go:embed queries/*.sql
var files embed.FS

// queries may name thousands of people or cells, and keep to one thread: several run side by side.
var queries = store.Queries{Files: files, Settings: clickhouse.Settings{
	"max_query_size": 64 << 20, "max_ast_elements": 10_000_000, "max_expanded_ast_elements": 10_000_000, "max_threads": 1}}

// perQuery is how many people, records or cells one query names at most.
const perQuery = 10_000

// each runs queries/<name>.sql and calls scan for every row.
func (a *Aggregator) each(ctx context.Context, name string, args []any, scan func(driver.Rows) error) error {
	return queries.Each(ctx, a.config.ClickHouse, name, args, scan)
}

func upTo(p Position) []any {
	return []any{clickhouse.Named("to_stream", p.Stream), clickhouse.Named("to_sequence", p.Sequence)}
}

// watermark is the position up to which every message is handled: nothing at or before it can appear any more. It
// is looked for from where the last one was, or from what is published.
func (a *Aggregator) watermark(ctx context.Context, published map[string]*big.Int) (Position, error) {
	var streams []uint64
	if err := a.each(ctx, "streams", nil, func(rows driver.Rows) error {
		var s uint64
		err := rows.Scan(&s)
		streams = append(streams, s)
		return err
	}); err != nil {
		return Position{}, err
	}
	a.streams = streams
	for _, id := range published {
		_, at, err := readID(id, streams)
		if err != nil {
			return Position{}, err
		}
		if at.After(a.handled) {
			a.handled = at
		}
	}
	for i := len(streams) - 1; i >= 0; i-- {
		at := Position{Stream: streams[i]}
		if a.handled.Stream == at.Stream {
			at.Sequence = a.handled.Sequence
		}
		name := "watermark"
		if i < len(streams)-1 {
			name = "last_handled" // an earlier stream brings nothing more: its gaps are lost
		}
		var last uint64
		if err := a.each(ctx, name, []any{clickhouse.Named("stream", at.Stream), clickhouse.Named("after", at.Sequence)},
			func(rows driver.Rows) error { return rows.Scan(&last) }); err != nil {
			return Position{}, err
		}
		if at.Sequence = max(at.Sequence, last); at.Sequence > 0 {
			a.handled = at
			return at, nil
		}
	}
	return Position{}, nil
}

// generations are the newest loads that change counts: of every programme (key empty) and of single ones.
func (a *Aggregator) generations(ctx context.Context) (map[string]uint32, error) {
	loads := map[string]uint32{}
	err := a.each(ctx, "generations", nil, func(rows driver.Rows) error {
		var programme string
		var generation uint32
		err := rows.Scan(&programme, &generation)
		loads[programme] = generation
		return err
	})
	return loads, err
}

// published says how far each programme is published, as id.
func (a *Aggregator) published(ctx context.Context) (map[string]*big.Int, error) {
	ids := map[string]*big.Int{}
	err := a.each(ctx, "programme_ids", nil, func(rows driver.Rows) error {
		var programme string
		var id big.Int
		err := rows.Scan(&programme, &id)
		ids[programme] = &id
		return err
	})
	return ids, err
}

// extent is what is read of a slice: the greatest id of each cell, from base to id. The programme's own row has a floor beside:
// slices that are published below it were counted by a run that a full recompute has overtaken, and are not read.
type extent struct{ id, base, floor *big.Int }

// slicesOf are the published slices of a programme, its own row (empty season and place) included.
func (a *Aggregator) slicesOf(ctx context.Context, programme string) (map[slice]extent, error) {
	extents := map[slice]extent{}
	err := a.each(ctx, "published", []any{clickhouse.Named("programme", programme)}, func(rows driver.Rows) error {
		var s slice
		var id, base, floor big.Int
		err := rows.Scan(&s.season, &s.place, &id, &base, &floor)
		extents[s] = extent{&id, &base, &floor}
		return err
	})
	return extents, err
}

// recordRow takes one row of people.sql apart, or of holders.sql, which has a part of it.
type recordRow struct {
	person, id uuid.UUID
	micros     int64
	precedence uint64
	at         Position
	status     uint8
	day        int32
	dose       uint8
	season     string
	lsoa       string
	ethnicity  string
	practice   string
}

func (r *recordRow) record() uptake.Record {
	return uptake.Record{
		ID: event.RecordID(r.id), Version: event.Version{Micros: r.micros, Precedence: r.precedence},
		Status: event.Status(r.status), Day: calendar.Day(r.day), Dose: r.dose, Cohort: r.season,
		LSOA: r.lsoa, Ethnicity: r.ethnicity, Practice: r.practice,
	}
}
