package rollup

import (
	"context"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// AuditResult says what a full recompute of everything found.
type AuditResult struct {
	Compared   int      // cells that are stored
	Mismatches int      // cells that are stored wrongly, or not stored, or stored without cause
	Skipped    []string // programmes that another aggregator published meanwhile
}

// Audit publishes what is handled, counts every programme afresh from its events, and compares every cell with what is
// stored. A programme with a mismatch is logged, measured, and counted afresh. Rows that no snapshot reads any more
// are removed. An error says what could not be read or written: retry.
func (a *Aggregator) Audit(ctx context.Context) (AuditResult, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() { a.left = nil }()
	var result AuditResult
	for {
		tick, err := a.tick(ctx)
		if errors.Is(err, errOvertaken) {
			continue
		}
		if err != nil {
			return result, err
		}
		if !tick.Waiting {
			break
		}
		a.waiting.since = a.waiting.since.Add(-a.config.Patience) // an audit does not wait for more to come
	}
	for _, p := range a.config.Programmes.Programmes {
		before, err := a.slicesOf(ctx, p.ID)
		if err != nil {
			return result, err
		}
		at := before[slice{}]
		if at.id == nil {
			continue
		}
		_, position, err := readID(at.id, a.streams)
		if err != nil {
			return result, err
		}
		counted, err := a.countAll(ctx, p, position)
		if err != nil {
			return result, err
		}
		compared, err := a.compare(ctx, p, counted)
		if err != nil {
			return result, err
		}
		after, err := a.slicesOf(ctx, p.ID)
		if err != nil {
			return result, err
		}
		if after[slice{}].id.Cmp(at.id) != 0 {
			result.Skipped = append(result.Skipped, p.ID)
			continue
		}
		result.Compared += compared.compared
		result.Mismatches += compared.wrong
		if compared.wrong > 0 {
			wrong := fmt.Errorf("programme %s: %d cells in %d slices differ from a full recompute", p.ID, compared.wrong, len(compared.changed))
			if err := a.repair(ctx, p, wrong); err != nil {
				a.config.Log.Warn("audit", "error", err)
			}
			continue
		}
		if err := a.compact(ctx, p.ID, before, counted); err != nil {
			return result, err
		}
	}
	a.metrics.audits.Inc()
	a.config.Log.Info("audit", "compared", result.Compared, "mismatches", result.Mismatches, "skipped", result.Skipped)
	return result, nil
}

// compact keeps prevention.uptake_cells from growing with every step: rows below every base are removed, and where the
// rest still is more than twice what is needed, all slices get a new base. What it removes was replaced at an earlier
// audit, so that no query that began before can still read it.
func (a *Aggregator) compact(ctx context.Context, programme string, extents map[slice]extent, counted *tally) error {
	at := extents[slice{}]
	oldest := at.id
	for s, e := range extents {
		if s != (slice{}) && e.base.Cmp(oldest) < 0 {
			oldest = e.base
		}
	}
	var old, kept uint64
	args := []any{clickhouse.Named("programme", programme), clickhouse.Named("base", oldest)}
	if err := a.each(ctx, "outdated", args, func(rows driver.Rows) error { return rows.Scan(&old, &kept) }); err != nil {
		return err
	}
	if old > kept/4 {
		remove, err := queries.ReadFile("queries/remove_outdated.sql")
		if err != nil {
			return err
		}
		if err := a.config.ClickHouse.Exec(ctx, string(remove), args...); err != nil {
			return fmt.Errorf("remove outdated cells: %w", err)
		}
	}
	needed := uint64(0)
	if err := counted.each(nil, func(Cell, Counts) error { needed++; return nil }); err != nil {
		return err
	}
	if kept < 2*needed+10_000 {
		return nil
	}
	rows := []publication{}
	everywhere := map[slice]bool{}
	for s := range extents {
		if s != (slice{}) {
			everywhere[s] = true
			rows = append(rows, publication{programme, s, extent{at.id, at.id}})
		}
	}
	if err := a.insertTally(ctx, programme, at, counted, everywhere); err != nil {
		return err
	}
	return a.publish(ctx, rows)
}
