package reference

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/load"
)

// Report is what a load did.
type Report struct {
	Load  uint32 // its number; 0 if nothing had changed, so that none was made
	Files []FileReport
	Areas *AreaReport // nil if areas were not resolved anew
	Took  time.Duration
}

// FileReport is what became of one file.
type FileReport struct {
	File      *load.File
	Loaded    int           // parts that replaced what was in force
	Unchanged int           // parts that were in force already
	Took      time.Duration // of writing
}

// AreaReport counts LSOA codes, of 2011 and 2021 together, and how many of those in England lack what.
type AreaReport struct {
	Codes   int
	Outside int // codes of Wales, Scotland and Northern Ireland, which have no ICB, region or English IMD

	NoNeighbourhood, NoPlace, NoSystem, NoRegion, NoQuintile2019, NoQuintile2025 int
}

// Load makes one load of all files of a plan: all of it is in force afterwards, or nothing. What is in force already, with
// the same content, is left alone; if that is everything, no load is made. Look-ups are resolved into areas together with
// those that were loaded earlier.
//
// Loads may run at the same time: one that was overtaken starts anew on what the other left, so that the outcome is that
// of one after the other. Errors: [ErrBusy] (retry), a file that changed since it was checked, or the driver's, after
// which nothing was loaded unless it says "commit"; the same load may always be tried again.
func Load(ctx context.Context, conn driver.Conn, plan *load.Plan) (Report, error) {
	begun := time.Now()
	for range attempts {
		report, done, err := try(ctx, conn, plan)
		if err != nil {
			return Report{}, err
		}
		if !done {
			continue
		}
		if report.Load > 0 {
			if err := tidy(ctx, conn); err != nil {
				return Report{}, fmt.Errorf("load %d is in force, but old rows could not be removed: %w", report.Load, err)
			}
		}
		report.Took = time.Since(begun)
		return report, nil
	}
	return Report{}, ErrBusy
}

// try is false if another load came in between.
func try(ctx context.Context, conn driver.Conn, plan *load.Plan) (Report, bool, error) {
	now, err := readState(ctx, conn)
	if err != nil {
		return Report{}, false, err
	}
	w := &writer{ctx: ctx, conn: conn, now: now, batch: newBatch(), rows: map[string]uint64{}}
	var report Report
	for _, f := range plan.Files {
		one, err := w.file(f)
		if err != nil {
			return report, false, err
		}
		report.Files = append(report.Files, one)
	}
	if w.lookups {
		if report.Areas, err = w.areas(plan); err != nil {
			return report, false, err
		}
	}
	if len(w.entries) == 0 {
		return report, true, nil
	}
	for _, t := range tables { // what an insert half-way through left behind, or sent twice, must not come into force
		n, err := t.count(ctx, conn, w.batch)
		if err != nil {
			return report, false, err
		}
		if n != w.rows[t.kind] {
			return report, false, fmt.Errorf("%s holds %d rows of this load, not %d; nothing was loaded", t.name, n, w.rows[t.kind])
		}
	}
	done, err := commit(ctx, conn, now.newest, w.batch, w.entries)
	report.Load = now.newest + 1
	return report, done, err
}

// writer writes the rows of one try.
type writer struct {
	ctx     context.Context
	conn    driver.Conn
	now     state
	batch   uint64
	entries []entry
	rows    map[string]uint64 // written, by kind
	lookups bool              // the plan has look-ups
}

// changed tells whether a part differs from what is in force; if so it is part of the load.
func (w *writer) changed(at slot, file, sha256 string, rows int) bool {
	if f, ok := w.now.slots[at]; ok && f.sha256 == sha256 {
		return false
	}
	w.entries = append(w.entries, entry{slot: at, file: file, sha256: sha256, rows: uint64(rows)})
	return true
}

func (w *writer) file(f *load.File) (FileReport, error) {
	begun := time.Now()
	report := FileReport{File: f}
	wanted := map[string]bool{} // kind, tab, key
	for _, part := range f.Parts {
		w.lookups = w.lookups || part.Kind == load.Lookup
		if !w.changed(slot{string(part.Kind), part.Key}, filepath.Base(f.Path), part.SHA256, part.Rows) {
			report.Unchanged++
			continue
		}
		report.Loaded++
		wanted[string(part.Kind)+"\t"+part.Key] = true
	}
	if report.Loaded == 0 {
		return report, nil
	}
	err := w.write(f, func(kind load.Kind, key string) bool { return wanted[string(kind)+"\t"+key] })
	report.Took = time.Since(begun)
	return report, err
}

func (w *writer) write(f *load.File, wanted func(load.Kind, string) bool) error {
	switch f.Kind {
	case load.Lookup:
		return w.writeLookups(f.Lookups, wanted)
	case load.Eligible:
		return stream(w, f.Kind, eligibleRows(w.ctx, w.conn, w.batch), wanted, f.EachEligible)
	case load.History:
		return stream(w, f.Kind, historyRows(w.ctx, w.conn, w.batch), wanted, f.EachHistory)
	case load.Interventions:
		return stream(w, f.Kind, interventionRows(w.ctx, w.conn, w.batch), wanted, f.EachIntervention)
	case load.Flags:
		return stream(w, f.Kind, flagRows(w.ctx, w.conn, w.batch), wanted, f.EachFlag)
	}
	return fmt.Errorf("%s: cannot write files of kind %q", f.Path, f.Kind)
}

// stream writes the rows of a file whose key is wanted.
func stream[Row interface{ Key() string }](w *writer, kind load.Kind, rows *rowsOf[Row],
	wanted func(load.Kind, string) bool, each func(context.Context, func(Row) error) error) error {
	err := each(w.ctx, func(r Row) error {
		if !wanted(kind, r.Key()) {
			return nil
		}
		return rows.add(r)
	})
	if err != nil {
		return err
	}
	return finish(w, string(kind), rows)
}

func finish[Row any](w *writer, kind string, rows *rowsOf[Row]) error {
	w.rows[kind] += rows.rows
	return rows.flush()
}

func (w *writer) writeLookups(l *load.Lookups, wanted func(load.Kind, string) bool) error {
	lookups, practices := lookupRows(w.ctx, w.conn, w.batch), practiceRows(w.ctx, w.conn, w.batch)
	for _, r := range l.Relations {
		switch {
		case r.Name == load.PracticeToPCN && wanted(load.Practices, ""):
			for practice, pcns := range r.Targets {
				if err := practices.add(practiceRow{practice, pcns[0]}); err != nil {
					return err
				}
			}
		case r.Name != load.PracticeToPCN && wanted(load.Lookup, r.Name):
			for code, targets := range r.Targets {
				for _, target := range targets {
					if err := lookups.add(lookupRow{relation: r.Name, code: code, target: target}); err != nil {
						return err
					}
				}
			}
			for code, d := range r.Deprivation {
				if err := lookups.add(lookupRow{relation: r.Name, code: code, depr: d}); err != nil {
					return err
				}
			}
		}
	}
	names := nameRows(w.ctx, w.conn, w.batch)
	for key, list := range l.Names {
		if !wanted(load.Names, key) {
			continue
		}
		_, relation, _ := strings.Cut(key, "/")
		for code, name := range list.Names {
			if err := names.add(nameRow{list.Level, relation, code, name}); err != nil {
				return err
			}
		}
	}
	if err := finish(w, string(load.Lookup), lookups); err != nil {
		return err
	}
	if err := finish(w, string(load.Practices), practices); err != nil {
		return err
	}
	return finish(w, string(load.Names), names)
}

// areas resolves the look-ups of the plan together with those in force that the plan does not replace.
func (w *writer) areas(plan *load.Plan) (*AreaReport, error) {
	relations := map[string]*load.Relation{}
	except := []string{""} // an empty list is no SQL
	for _, f := range plan.Files {
		if f.Lookups == nil {
			continue
		}
		for _, r := range f.Lookups.Relations {
			relations[r.Name] = r
			except = append(except, r.Name)
		}
	}
	if err := w.readLookups(relations, except); err != nil {
		return nil, err
	}
	resolved := area.Resolve(load.Raw(relations))
	if !w.changed(slot{kind: kindAreas}, "", load.DigestAreas(resolved), len(resolved)) {
		return nil, nil
	}
	rows := areaRows(w.ctx, w.conn, w.batch)
	report := &AreaReport{Codes: len(resolved)}
	for _, r := range resolved {
		if err := rows.add(r); err != nil {
			return nil, err
		}
		if strings.ContainsRune("WSN", rune(r.LSOA[0])) {
			report.Outside++
			continue
		}
		for count, unknown := range map[*int]bool{
			&report.NoNeighbourhood: r.Neighbourhood == "", &report.NoPlace: r.Place == "", &report.NoSystem: r.System == "",
			&report.NoRegion: r.Region == "", &report.NoQuintile2019: r.Quintile2019 == 0, &report.NoQuintile2025: r.Quintile2025 == 0,
		} {
			if unknown {
				*count++
			}
		}
	}
	return report, finish(w, kindAreas, rows)
}

// readLookups adds the look-ups in force except some.
func (w *writer) readLookups(relations map[string]*load.Relation, except []string) error {
	rows, err := w.conn.Query(w.ctx, query("lookups"), clickhouse.Named("except", except))
	if err != nil {
		return fmt.Errorf("read look-ups: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err is checked
	for rows.Next() {
		var r lookupRow
		if err := rows.Scan(&r.relation, &r.code, &r.target, &r.depr.Rank, &r.depr.Decile); err != nil {
			return fmt.Errorf("read look-ups: %w", err)
		}
		relation, ok := relations[r.relation]
		if !ok {
			relation = &load.Relation{Name: r.relation, Targets: map[string][]string{}, Deprivation: map[string]area.Deprivation{}}
			relations[r.relation] = relation
		}
		if r.depr.Rank > 0 {
			relation.Deprivation[r.code] = r.depr
		} else {
			relation.Targets[r.code] = append(relation.Targets[r.code], r.target)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read look-ups: %w", err)
	}
	return nil
}

// kept is how many loads of one key keep their rows: the one in force, and the one before it for readers that began
// before it was replaced.
const kept = 2

// abandoned is the age after which rows that no load came to list are taken to be left over from a loader that died.
const abandoned = 24 * time.Hour

// tidy removes rows that were replaced, and those of loads that never came about.
func tidy(ctx context.Context, conn driver.Conn) error {
	oldest := uint64(time.Now().Add(-abandoned).UnixMilli()) << 20
	for _, t := range tables {
		where := strings.NewReplacer("{key}", t.key, "{kind}", t.kind).Replace(query("replaced"))
		args := []any{clickhouse.Named("kept", kept), clickhouse.Named("oldest", oldest)}
		var n uint64
		if err := conn.QueryRow(ctx, "SELECT count() FROM "+t.name+" WHERE "+where, args...).Scan(&n); err != nil {
			return fmt.Errorf("look for old rows of %s: %w", t.name, err)
		}
		if n == 0 {
			continue // most often; a delete, even of nothing, is a mutation
		}
		if err := conn.Exec(ctx, "DELETE FROM "+t.name+" WHERE "+where, args...); err != nil {
			return fmt.Errorf("remove old rows of %s: %w", t.name, err)
		}
	}
	return nil
}
