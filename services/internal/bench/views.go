package bench

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reporting"
	"gapwatch/services/internal/store"
)

// The queries of the dashboards are in views, what fills a store with plausible snapshots is in views/fill.
//
//go:embed views
var viewFiles embed.FS

// ViewSize is how much a store holds when the queries of the dashboards are measured.
type ViewSize struct {
	Programmes, Regions, Systems, Places, PCNs, Neighbourhoods int
	Days                                                       int // of each programme: of one rolling season, or of three seasons together
}

// Country is the size of England that the dashboards must be fast at.
var Country = ViewSize{Programmes: 20, Regions: 9, Systems: 42, Places: 300, PCNs: 1250, Neighbourhoods: 7000, Days: 400}

// viewRuns is how often each query is run, with other programmes, places and systems each time.
const viewRuns = 21

// viewToday is the newest day of the filled store.
var viewToday = calendar.Date(2026, 11, 22)

// views measures the queries in a store of its own, so that no merges of the other measurements disturb them.
func (r *run) views(ctx context.Context) error {
	lib, err := engine.Locate(ctx, "", nil)
	if err != nil {
		return err
	}
	process, err := engine.Start(ctx, engine.Options{DataDir: filepath.Join(r.Dir, "views"), LibPath: lib, Logger: r.Log})
	if err != nil {
		return err
	}
	defer process.Stop()
	if err := store.Migrate(ctx, process.URL()); err != nil {
		return err
	}
	conn, err := store.Open(process.URL())
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the engine stops next
	if err := FillViews(ctx, conn, Country); err != nil {
		return err
	}
	r.result.ViewQueryMS, err = Views(ctx, conn, Country, viewRuns)
	return err
}

// Views runs each query of the dashboards n times, the parameters varied, and says the median of each in milliseconds,
// from sending it to its last row. The store must have been filled by FillViews with the same size.
func Views(ctx context.Context, conn driver.Conn, size ViewSize, n int) (map[string]float64, error) {
	queries, err := viewQueries()
	if err != nil {
		return nil, err
	}
	medians := map[string]float64{}
	for name, query := range queries {
		times := make([]time.Duration, n)
		for i := range times {
			started := time.Now()
			rows, err := conn.Query(ctx, query, size.arguments(i)...)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			for rows.Next() { // the driver decodes the blocks, which is all that is wanted
			}
			if err := rows.Err(); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			times[i] = time.Since(started)
		}
		slices.Sort(times)
		medians[name] = float64(times[n/2].Microseconds()) / 1000
	}
	return medians, nil
}

// viewQueries are the queries by name.
func viewQueries() (map[string]string, error) {
	files, err := fs.Glob(viewFiles, "views/*.sql")
	if err != nil {
		return nil, err
	}
	queries := map[string]string{}
	for _, file := range files {
		text, err := viewFiles.ReadFile(file)
		if err != nil {
			return nil, err
		}
		queries[strings.TrimSuffix(path.Base(file), ".sql")] = string(text)
	}
	return queries, nil
}

// arguments are the parameters of the i-th run of a query.
func (s ViewSize) arguments(i int) []any {
	p := s.programme(i % s.Programmes)
	newest := programme.RollingSeason
	if p.Kind == programme.Seasonal {
		newest = p.Seasons[len(p.Seasons)-1].ID
	}
	return []any{
		clickhouse.Named("programme", p.ID), clickhouse.Named("season", newest),
		clickhouse.Named("place", fmt.Sprintf("X07%06d", i*37%s.Places)),
		clickhouse.Named("system", fmt.Sprintf("X54%06d", i*11%s.Systems)),
	}
}

// programme is the i-th programme, from 0: every other one is rolling. A seasonal one has run for a quarter of the days in
// this season, half of them in the season before, a quarter in the one before that.
func (s ViewSize) programme(i int) *programme.Programme {
	p := &programme.Programme{ID: fmt.Sprintf("bench-%02d", i+1), Name: fmt.Sprintf("Programme %02d", i+1), Target: 75,
		Limits: programme.Limits{Floor: 100, SmallestChange: 1, UnknownArea: 2.6, Ceiling: 20, Behind: 5}, Kind: programme.Rolling, HistoryFrom: viewToday + 1 - calendar.Day(s.Days)}
	if i%2 == 0 {
		return p
	}
	p.Kind = programme.Seasonal
	quarter := calendar.Day(s.Days / 4)
	start := viewToday + 1 - quarter
	p.HistoryFrom = start - 730
	p.Seasons = []programme.Season{
		{ID: "2024-25", Start: start - 730, End: start - 730 + quarter - 1},
		{ID: "2025-26", Start: start - 365, End: start - 365 + 2*quarter - 1},
		{ID: "2026-27", Start: start, End: start + 2*quarter - 1},
	}
	return p
}

// FillViews writes plausible figures into the tables behind the views of an empty, migrated store: the shape and size of
// a country's snapshots, and the newest two weeks twice, as late records leave them. None is computed as Gapwatch does.
func FillViews(ctx context.Context, conn driver.Conn, size ViewSize) error {
	set := programme.NewSet(2025)
	for i := range size.Programmes {
		set.Programmes = append(set.Programmes, size.programme(i))
	}
	if err := reporting.WriteProgrammes(ctx, conn, set, viewToday.Time()); err != nil {
		return err
	}
	files, err := fs.Glob(viewFiles, "views/fill/*.sql")
	if err != nil {
		return err
	}
	const geographies = 1 // files before those that are of one programme
	for _, file := range files[:geographies] {
		if err := size.fill(ctx, conn, file, set.Programmes[0], set); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2) // a programme takes some hundred MB
	for _, p := range set.Programmes {
		group.Go(func() error {
			for _, file := range files[geographies:] {
				if err := size.fill(ctx, conn, file, p, set); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// fill runs one file for a programme; that of gap_days once more for the days that late records have moved since.
func (s ViewSize) fill(ctx context.Context, conn driver.Conn, file string, p *programme.Programme, set *programme.Set) error {
	text, err := viewFiles.ReadFile(file)
	if err != nil {
		return err
	}
	since := []calendar.Day{0}
	if strings.Contains(file, "gap_days") {
		since = append(since, viewToday-13)
	}
	for i, from := range since {
		args := append(s.fillArguments(p, set), clickhouse.Named("id", i+1), clickhouse.Named("from", from.String()))
		if err := conn.Exec(ctx, string(text), args...); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func (s ViewSize) fillArguments(p *programme.Programme, set *programme.Set) []any {
	seasons := p.Seasons
	if p.Kind == programme.Rolling {
		seasons = []programme.Season{{ID: programme.RollingSeason, Start: p.HistoryFrom, End: viewToday}}
	}
	var days clickhouse.ArraySet
	for _, season := range seasons {
		days = append(days, clickhouse.GroupSet{Value: []any{season.ID, season.Start.String(), int(min(season.End, viewToday) - season.Start + 1)}})
	}
	return []any{
		clickhouse.Named("programme", p.ID), clickhouse.Named("first", set.Programmes[0].ID),
		clickhouse.Named("seasons", days), clickhouse.Named("newest", seasons[len(seasons)-1].ID), clickhouse.Named("complete", (viewToday - 4).String()),
		clickhouse.Named("regions", s.Regions), clickhouse.Named("systems", s.Systems), clickhouse.Named("places", s.Places),
		clickhouse.Named("pcns", s.PCNs), clickhouse.Named("neighbourhoods", s.Neighbourhoods),
	}
}
