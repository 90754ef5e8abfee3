package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/store"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// small has as many days as the country, so that a place's rows fill granules of their own.
var small = ViewSize{Programmes: 4, Regions: 2, Systems: 6, Places: 30, PCNs: 60, Neighbourhoods: 300, Days: 400}

// TestViewQueries runs every query of the dashboards on a small store: it has the columns that it had, it finds something
// and it reads the snapshots by their primary key, a small part of them only.
func TestViewQueries(t *testing.T) {
	ctx := context.Background()
	conn := filled(t, small)
	// most is how many granules of a snapshot a query may read, and rows how many rows it finds at least in one of the runs.
	want := map[string]struct {
		columns string
		rows    int
		most    map[string]int
	}{
		"behind_for_alerts":          {"programme season level code name quintile_label sentence behind_now", 720, nil},
		"ethnicity_of_place":         {"ethnicity_label quintile_label covered eligible uptake withheld", 108, map[string]int{"ethnicity_weeks": 3}},
		"gap_over_season":            {"day complete gap gap_low gap_high sii sii_low sii_high", 100, map[string]int{"gap_days": 6}},
		"interventions_of_system":    {"name label from_day to_day measure effect low high here elsewhere places not_computed", 2, nil},
		"last_season_beside":         {"beside uptake_1 uptake_5 gap", 200, map[string]int{"gap_days": 6}},
		"neighbourhoods_over_season": {"day name uptake", 140, map[string]int{"neighbourhood_weeks": 4}},
		"neighbourhoods_this_week":   {"name uptake uptake_low uptake_high short_to_target pace rank ranked furthest_behind flags withheld", 10, map[string]int{"neighbourhood_weeks": 2}},
		"pcns_of_place_now":          {"name covered eligible uptake uptake_1 uptake_5 gap not_computed", 2, map[string]int{"gap_days": 10}},
		"place_now":                  {"quintile_label uptake uptake_low uptake_high pace short_to_best short_to_target withheld", 6, map[string]int{"gap_days": 4}},
		"places_of_country_now":      {"system_name name gap short_to_best", 30, map[string]int{"gap_days": 70}},
		"places_of_system_now":       {"name uptake uptake_1 uptake_5 gap gap_low gap_high sii short_to_best short_to_target biggest_win", 5, map[string]int{"gap_days": 20}},
		"programmes_of_system_now":   {"programme_name season day uptake unknown_area gap gap_low gap_high sii short_to_best target", 4, nil},
		"rules_broken":               {"programme_name level name rule figure sentence", 4, nil},
		"trajectory_of_place":        {"quintile_label uptake status projected projected_low projected_high reached_on pace_needed people_needed target", 6, nil},
		"uptake_over_season":         {"day quintile_label uptake uptake_low uptake_high complete target", 500, map[string]int{"gap_days": 6}},
		"variables":                  {"variable value text", 6, nil},
		"verdict_changes_of_place":   {"decided_at verdict previous sentence published_at", 4, nil},
		"verdicts_for_alerts":        {"programme season code name sentence widening", 120, nil},
		"verdicts_of_system":         {"name level verdict since gap change change_low change_high sentence day", 6, nil},
	}
	queries, err := viewQueries()
	if err != nil {
		t.Fatal(err)
	}
	for name := range want {
		if queries[name] == "" {
			t.Errorf("%s: no such query", name)
		}
	}
	measured(t, conn, queries)
	total := granules(ctx, t, conn)
	for name, query := range queries {
		t.Run(name, func(t *testing.T) {
			want, ok := want[name]
			if !ok {
				t.Fatal("is not in the table of this test")
			}
			most := 0
			for i := range small.Programmes {
				rows, err := conn.Query(ctx, query, small.arguments(i)...)
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for rows.Next() {
					if got := strings.Join(rows.Columns(), " "); n == 0 && got != want.columns {
						t.Errorf("columns are\n%s, want\n%s", got, want.columns)
					}
					n++
				}
				if err := rows.Err(); err != nil {
					t.Fatal(err)
				}
				most = max(most, n)
				for _, read := range reads(ctx, t, conn, query, small.arguments(i)) {
					table := strings.TrimPrefix(read.table, "prevention.")
					if limit, ok := want.most[table]; ok && (read.granules > limit || !slices.Contains(read.keys, "programme") || limit*2 > total[table]) {
						t.Errorf("run %d reads %d of %d granules of %s by %v, want at most %d by programme and more", i, read.granules, total[table], table, read.keys, limit)
					}
					if slices.Contains(personLevel, table) {
						t.Errorf("reads %s: dashboards read snapshots only", table)
					}
				}
			}
			if most < want.rows {
				t.Errorf("finds %d rows, want at least %d", most, want.rows)
			}
		})
	}
}

// measured runs the measurement itself: each query is named in what it says.
func measured(t *testing.T, conn driver.Conn, queries map[string]string) {
	t.Helper()
	got, err := Views(context.Background(), conn, small, 2)
	if err != nil {
		t.Fatal(err)
	}
	for name := range queries {
		if got[name] <= 0 {
			t.Errorf("%s: no median", name)
		}
	}
}

var personLevel = []string{"events", "records", "links", "handled", "uptake_months", "eligible_cells"}

func filled(t *testing.T, size ViewSize) driver.Conn {
	t.Helper()
	ctx := context.Background()
	url := enginetest.New(t).URL()
	if err := store.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := FillViews(ctx, conn, size); err != nil {
		t.Fatal(err)
	}
	return conn
}

// read is what one step of a plan reads of a table.
type read struct {
	table    string
	keys     []string // columns of the primary key that the query is answered by
	granules int
}

// reads asks ClickHouse how it would answer a query.
func reads(ctx context.Context, t *testing.T, conn driver.Conn, query string, args []any) []read {
	t.Helper()
	var text string
	if err := conn.QueryRow(ctx, "EXPLAIN json = 1, indexes = 1 "+query, args...).Scan(&text); err != nil {
		t.Fatal(err)
	}
	type plan struct {
		NodeType    string `json:"Node Type"`
		Description string
		Indexes     []struct {
			Type     string
			Keys     []string
			Selected int `json:"Selected Granules"`
		}
		Plans []json.RawMessage
	}
	var all []read
	var walk func(raw json.RawMessage)
	walk = func(raw json.RawMessage) {
		var p plan
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		if p.NodeType == "ReadFromMergeTree" {
			r := read{table: p.Description}
			for _, index := range p.Indexes {
				if r.granules = index.Selected; index.Type == "PrimaryKey" {
					r.keys = index.Keys
				}
			}
			all = append(all, r)
		}
		for _, child := range p.Plans {
			walk(child)
		}
	}
	var plans []struct{ Plan json.RawMessage }
	if err := json.Unmarshal([]byte(text), &plans); err != nil || len(plans) == 0 {
		t.Fatalf("the plan is not understood: %v\n%s", err, text)
	}
	walk(plans[0].Plan)
	if len(all) == 0 {
		t.Fatal("the plan reads nothing: " + fmt.Sprint(text))
	}
	return all
}

// granules are how many granules each table has.
func granules(ctx context.Context, t *testing.T, conn driver.Conn) map[string]int {
	t.Helper()
	rows, err := conn.Query(ctx, "SELECT table, toInt64(sum(marks)) FROM system.parts WHERE active AND database = 'prevention' GROUP BY table")
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]int{}
	for rows.Next() {
		var table string
		var n int64
		if err := rows.Scan(&table, &n); err != nil {
			t.Fatal(err)
		}
		of[table] = int(n)
	}
	return of
}
