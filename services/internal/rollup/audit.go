package rollup

import (
	"context"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
)

// AuditResult says what a full recompute of everything found.
type AuditResult struct {
	Compared   int      // cells that are stored
	Mismatches int      // cells, of covered or eligible people, that are stored wrongly, or not stored, or without cause
	Skipped    []string // programmes that another aggregator published meanwhile
}

// Audit publishes what is handled, counts every programme afresh from its events, and compares every cell with what is
// stored. A programme with a mismatch is logged, measured, and counted afresh. Rows that no snapshot reads any more
// are removed. An error says what could not be read or written: retry; or it is [ErrOtherProgrammes].
func (a *Aggregator) Audit(ctx context.Context) (AuditResult, error) {
	var result AuditResult
	if err := a.sameProgrammes(ctx); err != nil {
		return result, err
	}
	for _, p := range a.config.Programmes.Programmes {
		if err := a.auditOne(ctx, p, &result); err != nil {
			return result, err
		}
	}
	a.logAudit(result)
	return result, nil
}

// ErrOtherProgrammes says that what is published was counted by another programme file than the audit has: by its own it
// would find everything wrong, count it afresh and stop the aggregator that runs.
var ErrOtherProgrammes = errors.New("what is published was counted by another programme file; nothing was audited or changed: set GAPWATCH_PROGRAMMES as the aggregator that runs has it")

// sameProgrammes is an error if the newest programme file is not ours. Ours is not registered here in its place, nor, if
// another one comes in meanwhile, later.
func (a *Aggregator) sameProgrammes(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	load, sha256, err := reference.RegisteredProgrammes(ctx, a.config.ClickHouse)
	if err != nil {
		return err
	}
	if load > 0 && sha256 != a.config.Programmes.SHA256 {
		return fmt.Errorf("%w (SHA-256 %.12s..., not %.12s...)", ErrOtherProgrammes, sha256, a.config.Programmes.SHA256)
	}
	a.registered = load
	return nil
}

func (a *Aggregator) logAudit(result AuditResult) {
	a.metrics.audits.Inc()
	a.config.Log.Info("audit", "compared", result.Compared, "mismatches", result.Mismatches, "skipped", result.Skipped)
}

// auditOne publishes what is handled, of all programmes, and audits one of them: so no programme waits for the audit of
// all the others.
func (a *Aggregator) auditOne(ctx context.Context, p *programme.Programme, result *AuditResult) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() { a.left = nil }()
	for tries := 0; ; tries++ {
		tick, err := a.tick(ctx)
		if errors.Is(err, errOvertaken) {
			if tries < 100 {
				continue
			}
			result.Skipped = append(result.Skipped, p.ID)
			return nil
		}
		if err != nil {
			return a.mend(ctx, err)
		}
		if !tick.Waiting {
			break
		}
		a.waiting.since = a.waiting.since.Add(-a.config.Patience) // an audit does not wait for more to come
		clear(a.rests)
	}
	before, err := a.slicesOf(ctx, p.ID)
	if err != nil {
		return err
	}
	at := before[slice{}]
	if at.id == nil {
		return nil
	}
	generation, position, err := readID(at.id, a.streams)
	if err != nil {
		return err
	}
	if generation != max(a.generationOf[""], a.generationOf[p.ID]) { // its areas are not the ones that are read here
		result.Skipped = append(result.Skipped, p.ID)
		return nil
	}
	counted, err := a.countAll(ctx, p, position)
	if err != nil {
		return err
	}
	compared, err := a.compare(ctx, counted, p.ID)
	if err != nil {
		return err
	}
	wrongEligible, err := a.wrongEligible(ctx, p)
	if err != nil {
		return err
	}
	after, err := a.slicesOf(ctx, p.ID)
	if err != nil {
		return err
	}
	if after[slice{}].id.Cmp(at.id) != 0 {
		result.Skipped = append(result.Skipped, p.ID)
		return nil
	}
	result.Compared += compared.compared
	result.Mismatches += compared.wrong + wrongEligible
	a.metrics.auditMismatches.Add(float64(compared.wrong + wrongEligible))
	if compared.wrong+wrongEligible > 0 {
		wrong := fmt.Errorf("programme %s: %d cells in %d slices, and the eligible people of %d cells, differ from a full recompute",
			p.ID, compared.wrong, len(compared.changed), wrongEligible)
		if err := a.repair(ctx, p, wrong); err != nil {
			a.config.Log.Warn("audit", "error", err)
		}
		return nil
	}
	if err := a.compact(ctx, p.ID, before, counted); err != nil {
		return err
	}
	return a.removeEligible(ctx, p.ID, generation)
}

// removeEligible keeps prevention.eligible_cells from growing with every generation: rows of generations below the one
// that an earlier audit found published are removed. Nobody begins to read those after that audit, and a query that began
// before it has ended. Another aggregator may write such rows even now, but not publish them: a greater id is in force.
func (a *Aggregator) removeEligible(ctx context.Context, programme string, published uint32) error {
	args := []any{clickhouse.Named("programme", programme), clickhouse.Named("generation", a.audited[programme])}
	var old uint64
	if err := a.each(ctx, "outdated_eligible", args, func(rows driver.Rows) error { return rows.Scan(&old) }); err != nil {
		return err
	}
	if old > 0 { // a delete, even of nothing, is a mutation
		remove, err := files.ReadFile("queries/remove_outdated_eligible.sql")
		if err != nil {
			return err
		}
		if err := a.config.ClickHouse.Exec(ctx, string(remove), args...); err != nil {
			return fmt.Errorf("remove outdated eligible people: %w", err)
		}
	}
	a.audited[programme] = published // last, since an audit that fails is made again at once
	return nil
}

// compact keeps prevention.uptake_months from growing with every step: rows below every base are removed, and where the
// rest still is more than twice what is needed, all slices get a new base. What it removes is below a base that is published:
// only a query that began before can still read it, and does, in the parts of then.
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
		remove, err := files.ReadFile("queries/remove_outdated.sql")
		if err != nil {
			return err
		}
		if err := a.config.ClickHouse.Exec(ctx, string(remove), args...); err != nil {
			return fmt.Errorf("remove outdated cells: %w", err)
		}
	}
	needed := counted.cells()
	if kept < 2*needed+10_000 || oldest.Cmp(at.id) == 0 { // below a base that is there already, nothing more can go
		return nil
	}
	rows := []publication{}
	for s := range extents {
		if s != (slice{}) {
			rows = append(rows, publication{programme, s, extent{id: at.id, base: at.id}})
		}
	}
	if err := a.insertTally(ctx, programme, at.id, counted); err != nil {
		return err
	}
	return a.publish(ctx, rows)
}
