package alerting

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gapwatch/dashboards/alerts"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reporting"
	"gapwatch/services/internal/store"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// answer is what ClickHouse answers to a rule's query.
type answer struct {
	Meta []struct{ Name, Type string }
	Data []map[string]any
}

// row is the one row whose labels are those.
func (a answer) row(t *testing.T, labels map[string]string) map[string]any {
	t.Helper()
	var found []map[string]any
	for _, row := range a.Data {
		same := true
		for name, value := range labels {
			same = same && row[name] == value
		}
		if same {
			found = append(found, row)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d rows are labelled %v of %v", len(found), labels, a.Data)
	}
	return found[0]
}

// number is the one column that is no label.
func (a answer) number(t *testing.T, row map[string]any) float64 {
	t.Helper()
	name := a.Meta[len(a.Meta)-1].Name
	number, ok := row[name].(float64)
	if !ok {
		t.Fatalf("%s is %v", name, row[name])
	}
	return number
}

// asker runs the query of a rule, in whose result everything must be as Grafana needs it: the columns are labels, the sentence
// and, last, one number; the labels tell all rows apart, and the rule or the row has a severity.
func asker(t *testing.T, url string) func(file string) answer {
	t.Helper()
	rules, err := Read(alerts.Files)
	if err != nil {
		t.Fatal(err)
	}
	return func(file string) answer {
		t.Helper()
		i := slices.IndexFunc(rules, func(r Rule) bool { return r.File == file+".yaml" })
		if i < 0 {
			t.Fatalf("there is no rule %s", file)
		}
		response, err := http.Post(url+"/?default_format=JSON", "text/plain", strings.NewReader(rules[i].SQL))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var a answer
		if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
			t.Fatalf("%s: %s: %v", file, response.Status, err)
		}
		seen := map[string]bool{}
		for _, row := range a.Data {
			var labels []string
			for _, column := range a.Meta[:len(a.Meta)-1] {
				if column.Type != "String" && column.Type != "LowCardinality(String)" {
					t.Fatalf("%s: column %s is %s, no text", file, column.Name, column.Type)
				}
				if column.Name != Sentence {
					labels = append(labels, column.Name+"="+row[column.Name].(string))
				}
			}
			if last := a.Meta[len(a.Meta)-1]; last.Type != "Float64" {
				t.Fatalf("%s: the last column, %s, is %s, not the one number", file, last.Name, last.Type)
			}
			if said, _ := row[Sentence].(string); !strings.HasSuffix(said, ".") {
				t.Errorf("%s: %v: no sentence, but %q", file, labels, said)
			}
			if key := fmt.Sprint(labels); seen[key] {
				t.Errorf("%s: two rows are labelled %v", file, labels)
			} else {
				seen[key] = true
			}
			if severity, inRow := row["severity"]; inRow == (rules[i].Severity != "") || inRow && severity != "warning" && severity != "critical" {
				t.Errorf("%s: %v: severity is %q in the rule and %v in the row", file, labels, rules[i].Severity, severity)
			}
		}
		return a
	}
}

// A store with nothing in it: the rules of the feed still have their row, and say that the numbers are stale. The others
// have none, so that Grafana keeps what it knew.
func TestAnEmptyStoreIsStaleAndEndsNoAlert(t *testing.T) {
	process := enginetest.New(t)
	if err := store.Migrate(t.Context(), process.URL()); err != nil {
		t.Fatal(err)
	}
	ask := asker(t, process.URL())
	for _, file := range []string{"gap-widening", "gap-above-ceiling", "quintile-behind", "uptake-over-100", "provider-silent"} {
		if a := ask(file); len(a.Data) != 0 {
			t.Errorf("%s has rows: %v", file, a.Data)
		}
	}
	for file, want := range map[string]float64{"numbers-stale": 1, "dead-letters-rising": 0, "unaccounted": 0} {
		a := ask(file)
		if len(a.Data) != 1 || a.number(t, a.Data[0]) != want {
			t.Errorf("%s: %v", file, a.Data)
		}
	}
}

// Every geography has a row in every rule about geographies, whatever is known of it, and what is said fits the number.
func TestEveryGeographyAlwaysHasARow(t *testing.T) {
	process := enginetest.New(t)
	ctx := t.Context()
	if err := store.Migrate(ctx, process.URL()); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(process.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing is left unwritten
	today := calendar.Of(time.Now())
	season := func(id string, start, end calendar.Day) programme.Season {
		return programme.Season{ID: id, Start: start, End: end}
	}
	limits := programme.Limits{Floor: 100, SmallestChange: 1, UnknownArea: 5, Ceiling: 20, Behind: 5}
	set := programme.NewSet(2025,
		&programme.Programme{ID: "flu", Name: "Flu", Kind: programme.Seasonal, HistoryFrom: today - 800, Limits: limits,
			Seasons: []programme.Season{season("gone", today-800, today-600), season("last", today-250, today-60), season("now", today-50, today+100)}},
		&programme.Programme{ID: "pox", Name: "Pox", Kind: programme.Seasonal, HistoryFrom: today - 800, Limits: limits,
			Seasons: []programme.Season{season("before", today-250, today-20), season("after", today-10, today+100)}},
		&programme.Programme{ID: "checks", Name: "Checks", Kind: programme.Rolling, HistoryFrom: today - 800, Limits: limits})
	if err := reporting.WriteProgrammes(ctx, conn, set, time.Now()); err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile("testdata/rows.sql")
	if err != nil {
		t.Fatal(err)
	}
	for statement := range strings.SplitSeq(string(rows), ";\n") {
		if strings.TrimSpace(statement) != "" {
			if err := conn.Exec(ctx, statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	ask := asker(t, process.URL())
	// Programmes and seasons: flu now, flu of the season that is over since lately, pox now and of the season that is not the newest, checks. Not the one gone for long.
	for file, rows := range map[string]int{"gap-widening": 5 * 5, "gap-above-ceiling": 5 * 5, "uptake-over-100": 5 * 5, "quintile-behind": 5 * 5 * 5} {
		if a := ask(file); len(a.Data) != rows {
			t.Errorf("%s has %d rows, not %d", file, len(a.Data), rows)
		}
	}
	for _, c := range []struct {
		file, programme, season, code, quintile string
		number                                  float64
		says                                    []string
		severity                                string
	}{
		{"gap-widening", "flu", "now", "P1", "", 4.3, []string{"Flu in One: the gap is 14.3 points."}, "warning"},
		{"gap-widening", "flu", "now", "P2", "", 0, []string{"would take 5", "does not mean that it has narrowed"}, "warning"},
		{"gap-widening", "flu", "now", "P3", "", 0.1, []string{"Flu in Three: widening. The figures are withheld"}, "warning"},
		{"gap-widening", "flu", "now", "P4", "", 0, []string{"Flu in Four: no verdict yet.", "does not mean"}, "warning"},
		{"gap-widening", "flu", "now", "S1", "", 2, []string{"Flu in Sys: the gap is 12 points."}, "critical"},
		{"gap-widening", "flu", "last", "P1", "", 0, []string{"season last is over", "not because the gap has narrowed", "Last verdict: widening"}, "warning"},
		{"gap-widening", "flu", "last", "P2", "", 0, []string{"season last is over", "not because the gap has narrowed"}, "warning"},
		{"gap-widening", "checks", "rolling", "S1", "", 0, []string{"Checks in Sys: no verdict yet."}, "critical"},
		{"gap-above-ceiling", "flu", "now", "P1", "", 24, []string{"Flu in One: the gap was 24.0 points (21.0 to 27.0)", "ceiling is 20.0"}, "warning"},
		{"gap-above-ceiling", "flu", "now", "P2", "", 0, []string{"Flu in Two: the gap between its own fifths was 24.0 points (19.0 to 29.0)"}, "warning"},
		{"gap-above-ceiling", "flu", "now", "P3", "", 0, []string{"not computed (gap: quintile 5 is withheld)", "does not mean that it lies below"}, "warning"},
		{"gap-above-ceiling", "flu", "now", "P4", "", 0, []string{"Flu in Four: the gap is not computed.", "does not mean that it lies below"}, "warning"},
		{"gap-above-ceiling", "flu", "last", "P1", "", 0, []string{"season last is over", "not because the gap has narrowed"}, "warning"},
		{"quintile-behind", "flu", "now", "P1", "1 most deprived", 6, []string{"points behind"}, "warning"},
		{"quintile-behind", "flu", "now", "P1", "2", 0, []string{"it would take"}, "warning"},
		{"quintile-behind", "flu", "now", "P1", "3", 0, []string{"withheld", "does not mean that it has caught up"}, "warning"},
		{"quintile-behind", "flu", "now", "P4", "5 least deprived", 0, []string{"nothing is known yet"}, "warning"},
		{"quintile-behind", "flu", "last", "P1", "1 most deprived", 0, []string{"season last is over", "not because the quintile has caught up"}, "warning"},
		{"quintile-behind", "pox", "before", "P1", "2", 0, []string{"season before is no longer the newest and not watched"}, "warning"},
		{"uptake-over-100", "pox", "before", "P1", "", 0, []string{"season before is no longer the newest and not watched"}, ""},
		{"uptake-over-100", "flu", "now", "P2", "", 104, []string{"more people are covered than are eligible"}, ""},
		{"uptake-over-100", "flu", "last", "P1", "", 0, []string{"season last is over", "not because the counts were put right"}, ""},
		{"uptake-over-100", "flu", "now", "P1", "", 0, []string{"no more people are covered than are eligible"}, ""},
	} {
		a := ask(c.file)
		labels := map[string]string{"programme": c.programme, "season": c.season, "code": c.code}
		if c.quintile != "" {
			labels["quintile"] = c.quintile
		}
		row := a.row(t, labels)
		if number := a.number(t, row); number != c.number {
			t.Errorf("%s %v: %v, not %v", c.file, labels, number, c.number)
		}
		for _, text := range c.says {
			if said := row[Sentence].(string); !strings.Contains(said, text) {
				t.Errorf("%s %v: %q does not say %q", c.file, labels, said, text)
			}
		}
		if c.severity != "" && row["severity"] != c.severity {
			t.Errorf("%s %v: severity is %v", c.file, labels, row["severity"])
		}
		if row["system"] != "S1" {
			t.Errorf("%s %v: is in system %v", c.file, labels, row["system"])
		}
	}

	a := ask("provider-silent")
	if quiet := a.row(t, map[string]string{"provider": "QUIET"}); a.number(t, quiet) < 99 || !strings.Contains(quiet[Sentence].(string), "silent for") {
		t.Errorf("%v", quiet)
	}
	if busy := a.row(t, map[string]string{"provider": "BUSY"}); a.number(t, busy) != 0 {
		t.Errorf("%v", busy)
	}
	if without := a.row(t, map[string]string{"provider": "not said"}); a.number(t, without) != 0 {
		t.Errorf("%v", without)
	}
	a = ask("dead-letters-rising")
	if all := a.row(t, map[string]string{"reason": "all"}); a.number(t, all) != 40 {
		t.Errorf("%v", all)
	}
	a = ask("unaccounted")
	if n := a.number(t, a.Data[0]); n != 6 || !strings.HasPrefix(a.Data[0][Sentence].(string), "6 messages of the stream are neither") {
		t.Errorf("%v", a.Data)
	}
	a = ask("numbers-stale")
	if a.number(t, a.Data[0]) != 0 || !strings.Contains(a.Data[0][Sentence].(string), "If this alert is firing") {
		t.Errorf("%v", a.Data)
	}
}
