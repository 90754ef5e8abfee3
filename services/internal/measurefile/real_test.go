package measurefile_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gapwatch/services/internal/measurefile"
)

func realData(t *testing.T, path string) string {
	t.Helper()
	root := os.Getenv("GAPWATCH_REAL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	path = filepath.Join(root, filepath.FromSlash(path))
	if _, err := os.Stat(path); os.IsNotExist(err) {
		t.Skipf("no real data at %s: set GAPWATCH_REAL_DATA", path)
	}
	return path
}

// firstDoses is what the command writes for the real first doses, by programme and day.
func firstDoses(t *testing.T) map[[2]string]measurefile.Line {
	t.Helper()
	var out strings.Builder
	o := measurefile.Options{Path: realData(t, "uptake/series_opensafely_covid_dose1.csv"), Floor: 100}
	if err := measurefile.Write(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	lines := map[[2]string]measurefile.Line{}
	decoder := json.NewDecoder(strings.NewReader(out.String()))
	decoder.DisallowUnknownFields()
	for decoder.More() {
		var l measurefile.Line
		if err := decoder.Decode(&l); err != nil {
			t.Fatal(err)
		}
		lines[[2]string{l.Programme, l.Day}] = l
	}
	if len(lines) != 6319 {
		t.Errorf("%d lines", len(lines))
	}
	return lines
}

func table(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(realData(t, path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, column := range records[0] {
			row[column] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func number(t *testing.T, row map[string]string, column string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(row[column], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// line is the line for a row of R's tables.
func line(t *testing.T, lines map[[2]string]measurefile.Line, row map[string]string) measurefile.Line {
	t.Helper()
	group := strings.TrimPrefix(row["series"], "OpenSAFELY dose1 ")
	group = strings.Replace(strings.TrimSuffix(group, " (aged 16-69)"), "+", "plus", 1)
	l, ok := lines[[2]string{"covid-dose1-" + group, row["period"]}]
	if !ok {
		t.Fatalf("no line for %s on %s", row["series"], row["period"])
	}
	return l
}

// Real first doses through the command come to what R makes of the same tables: points to 1e-9, intervals to 3 % (logit) and
// 8 % (linear) of their width.
func TestRealFirstDoses(t *testing.T) {
	lines := firstDoses(t)
	computed := map[string]int{}
	for _, row := range table(t, "stats/phe/real_uptake_sii_rii_by_R.csv") {
		l := line(t, lines, row)
		for measure, got := range map[string]struct {
			transform        string
			share            float64
			value, low, high *float64
		}{
			"sii":        {"logit", 0.03, l.SII, l.SIILow, l.SIIHigh},
			"rii":        {"logit", 0.03, l.RII, l.RIILow, l.RIIHigh},
			"sii_linear": {"none", 0.08, l.LinearSII, l.LinearSIILow, l.LinearSIIHigh},
			"rii_linear": {"none", 0.08, l.LinearRII, l.LinearRIILow, l.LinearRIIHigh},
		} {
			if got.transform != row["transform"] {
				continue
			}
			if got.value == nil {
				if l.NotComputed[measure] != "the fitted line is not clearly above 0 at its lower end" || measure != "rii_linear" {
					t.Errorf("%v: %s: %v", row, measure, l.NotComputed)
				}
				continue
			}
			computed[measure]++
			column, _, _ := strings.Cut(measure, "_")
			value, low, high := number(t, row, column), number(t, row, column+"_lower95"), number(t, row, column+"_upper95")
			off := max(math.Abs(*got.low-low), math.Abs(*got.high-high)) / (high - low)
			if !(math.Abs(*got.value-value) <= 1e-9*math.Abs(value)) || !(off <= got.share) {
				t.Errorf("%v: %s is %v (%v to %v), off by %.3f", row, measure, *got.value, *got.low, *got.high, off)
			}
		}
	}
	for measure, want := range map[string]int{"sii": 493, "rii": 493, "sii_linear": 493, "rii_linear": 486} {
		if computed[measure] != want {
			t.Errorf("%s was computed %d times of %d", measure, computed[measure], want)
		}
	}
	for _, row := range table(t, "stats/phe/real_uptake_wilson95_by_R.csv") {
		l := line(t, lines, row)
		q := l.Quintiles[int(number(t, row, "quint"))-1]
		if off := max(math.Abs(*q.Uptake-number(t, row, "value")), math.Abs(*q.Low-number(t, row, "lowercl")), math.Abs(*q.High-number(t, row, "uppercl"))); !(off <= 1e-9) {
			t.Errorf("%v: %v from %v to %v", row, *q.Uptake, *q.Low, *q.High)
		}
	}
}

// How inequality among the over-80s opened and closed: the figures that issue 3 names.
func TestOverEighties(t *testing.T) {
	lines := firstDoses(t)
	for day, want := range map[string][2]float64{"2021-01-06": {0.029, 0.029}, "2021-02-03": {0.096, 0.092}, "2021-03-03": {0.054, 0.051}} {
		l := lines[[2]string{"covid-dose1-80plus", day}]
		if math.Abs(*l.LinearSII-want[0]) > 0.0005 || math.Abs(*l.SII-want[1]) > 0.0005 {
			t.Errorf("%s: linear SII %.4f, logit SII %.4f, should be %v", day, *l.LinearSII, *l.SII, want)
		}
	}
}
