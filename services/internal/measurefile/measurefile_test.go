package measurefile_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gapwatch/services/internal/load"
	"gapwatch/services/internal/measurefile"
)

const header = "programme,season,geography,day,quintile,covered,eligible\n"

// series is one sound day, a day without quintile 2, and one on which everything that can be wrong with counts is.
const series = header + `
flu-x,2025-26,X07000001,2025-10-02,1,6200,10000
flu-x,2025-26,X07000001,2025-10-02,2,6300,9000
flu-x,2025-26,X07000001,2025-10-02,3,6000,8000
flu-x,2025-26,X07000001,2025-10-02,4,6240,8000
flu-x,2025-26,X07000001,2025-10-02,5,5600,7000
flu-x,2025-26,X07000001,2025-10-02,0,900,1000
flu-x,2025-26,X07000001,2025-10-01,1,10,400
flu-x,2025-26,X07000001,2025-10-01,3,30,400
flu-x,2025-26,X07000001,2025-10-01,4,0,400
flu-x,2025-26,X07000001,2025-10-01,5,60,400
bp-x,rolling,E92000001,2025-10-01,1,103,100
bp-x,rolling,E92000001,2025-10-01,2,5,99
bp-x,rolling,E92000001,2025-10-01,3,0,100
bp-x,rolling,E92000001,2025-10-01,4,100,100
bp-x,rolling,E92000001,2025-10-01,5,50,100
`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "series.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// measure gives the lines for a text, read from a file.
func measure(t *testing.T, text string, floor uint64) string {
	t.Helper()
	var out strings.Builder
	if err := measurefile.Write(t.Context(), measurefile.Options{Path: write(t, text), Floor: floor}, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func lines(t *testing.T, out string) []map[string]any {
	t.Helper()
	var all []map[string]any
	decoder := json.NewDecoder(strings.NewReader(out))
	for decoder.More() {
		var line map[string]any
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
	return all
}

func TestLines(t *testing.T) {
	got := lines(t, measure(t, series, 100))
	if len(got) != 3 {
		t.Fatalf("%d lines", len(got))
	}
	// by programme, season, geography and day
	for i, want := range [][4]string{{"bp-x", "rolling", "E92000001", "2025-10-01"}, {"flu-x", "2025-26", "X07000001", "2025-10-01"},
		{"flu-x", "2025-26", "X07000001", "2025-10-02"}} {
		for j, key := range []string{"programme", "season", "geography", "day"} {
			if got[i][key] != want[j] {
				t.Errorf("line %d: %s is %v, should be %s", i+1, key, got[i][key], want[j])
			}
		}
	}
	keys := strings.Fields(`programme season geography day gap gap_low gap_high ratio ratio_low ratio_high sii sii_low sii_high
		rii rii_low rii_high sii_linear sii_linear_low sii_linear_high rii_linear rii_linear_low rii_linear_high
		people_short_to_best quintiles not_computed`)
	for i, line := range got {
		for _, key := range keys {
			if _, ok := line[key]; !ok {
				t.Errorf("line %d has no %s", i+1, key)
			}
		}
		if len(line) != len(keys) {
			t.Errorf("line %d has %d keys", i+1, len(line))
		}
	}

	sound := got[2]
	if sound["people_short_to_best"] != 3260.0 || len(sound["not_computed"].(map[string]any)) > 0 {
		t.Errorf("a sound day: %v", sound)
	}
	for key, want := range map[string]float64{"gap": 0.18, "gap_low": 0.1665653, "gap_high": 0.1932694, "ratio": 0.775, "ratio_low": 0.760183, "ratio_high": 0.7901058,
		"sii": 0.2241185, "sii_low": 0.2092245, "sii_high": 0.2389445, "rii": 1.373023, "rii_low": 1.3429599, "rii_high": 1.4039593,
		"sii_linear": 0.2289554, "sii_linear_low": 0.2139107, "sii_linear_high": 0.2440001,
		"rii_linear": 1.3766313, "rii_linear_low": 1.3471529, "rii_linear_high": 1.4069403} {
		if v, ok := sound[key].(float64); !ok || v < want-1e-7 || v > want+1e-7 {
			t.Errorf("%s is %v, should be %v", key, sound[key], want)
		}
	}

	for i, want := range []map[string]any{
		{
			"gap": "quintile 1: more covered than eligible", "ratio": "quintile 1: more covered than eligible",
			"sii":                  "quintile 1: more covered than eligible; quintile 2: fewer than 100 eligible; quintile 3: nobody covered; quintile 4: everybody covered",
			"rii":                  "quintile 1: more covered than eligible; quintile 2: fewer than 100 eligible; quintile 3: nobody covered; quintile 4: everybody covered",
			"sii_linear":           "quintile 1: more covered than eligible; quintile 2: fewer than 100 eligible",
			"rii_linear":           "quintile 1: more covered than eligible; quintile 2: fewer than 100 eligible",
			"people_short_to_best": "quintile 1: more covered than eligible; quintile 2: fewer than 100 eligible",
			"quintile_1":           "quintile 1: more covered than eligible",
		},
		{
			"sii": "quintile 2: no eligible people known; quintile 4: nobody covered", "rii": "quintile 2: no eligible people known; quintile 4: nobody covered",
			"sii_linear": "quintile 2: no eligible people known", "rii_linear": "quintile 2: no eligible people known",
			"people_short_to_best": "quintile 2: no eligible people known", "quintile_2": "quintile 2: no eligible people known",
		},
		{},
	} {
		if diff := cmp.Diff(want, got[i]["not_computed"]); diff != "" {
			t.Errorf("line %d (-want +got):\n%s", i+1, diff)
		}
		for key := range want {
			if strings.HasPrefix(key, "quintile_") {
				continue
			}
			for _, suffix := range []string{"", "_low", "_high"} {
				if v, ok := got[i][key+suffix]; ok && v != nil {
					t.Errorf("line %d: %s was not computed and is %v", i+1, key+suffix, v)
				}
			}
		}
	}
	quintile := func(line, quintile int) map[string]any {
		return got[line]["quintiles"].([]any)[quintile-1].(map[string]any)
	}
	// the raw figure without an interval, no figures, nobody covered with an interval
	for _, c := range []struct {
		got  map[string]any
		want map[string]any
	}{
		{quintile(0, 1), map[string]any{"quintile": 1.0, "uptake": 1.03, "low": nil, "high": nil}},
		{quintile(1, 2), map[string]any{"quintile": 2.0, "uptake": nil, "low": nil, "high": nil}},
		{quintile(1, 4), map[string]any{"quintile": 4.0, "uptake": 0.0, "low": 0.0, "high": 0.009512294334296508}},
	} {
		if diff := cmp.Diff(c.want, c.got, cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// The floor of the command counts, not that of a programme.
func TestFloor(t *testing.T) {
	for floor, computed := range map[uint64]bool{0: true, 7000: true, 7001: false} {
		line := lines(t, measure(t, series, floor))[2]
		if (line["gap"] != nil) != computed {
			t.Errorf("floor %d: gap is %v: %v", floor, line["gap"], line["not_computed"])
		}
	}
}

// Neither the order of rows nor the order, case or spelling of columns, nor other columns, make a difference.
func TestOrder(t *testing.T) {
	want := measure(t, series, 100)
	var turned strings.Builder
	turned.WriteString("\ufeffEligible,note,QUINTILE,Day,Geography,Season,Programme, covered \r\n")
	rows := strings.Split(strings.TrimSpace(strings.TrimPrefix(series, header)), "\n")
	for i := range rows {
		c := strings.Split(rows[len(rows)-1-i], ",")
		turned.WriteString(strings.Join([]string{c[6], `"a, b"`, c[4], c[3], c[2], c[1], c[0], c[5]}, ",") + "\r\n")
	}
	if diff := cmp.Diff(want, measure(t, turned.String(), 100)); diff != "" {
		t.Errorf("(-in order +turned round):\n%s", diff)
	}
	// people of unknown quintile enter no measure
	if diff := cmp.Diff(want, measure(t, strings.Replace(series, "0,900,1000", "0,1,1", 1), 100)); diff != "" {
		t.Errorf("(-want +with other people of quintile 0):\n%s", diff)
	}
}

// What is wrong is said by file, row, column and rule, and nothing is written.
func TestWrongFiles(t *testing.T) {
	const hint = "\nnothing was measured: a series file has the columns programme, season, geography, day, quintile, covered, eligible"
	row := "a,b,c,2025-10-01,1,1,2\n"
	for text, want := range map[string]string{
		"":     "FILE: is empty",
		header: "FILE: has no rows below its header",
		header + row + "a,b,c,2025-10-01,6,1,2\n":                                 "FILE: row 3: column quintile: must be a whole number from 0 to 5",
		header + row + "a,b,c,2025-10-01,2,-1,2\n":                                "FILE: row 3: column covered: must be a whole number from 0 to 9007199254740992",
		header + row + "a,b,c,2025-10-01,2,1,1.5\n":                               "FILE: row 3: column eligible: must be a whole number from 0 to 9007199254740992",
		header + row + "a,b,c,1 May,2,1,2\n":                                      "FILE: row 3: column day: must be a date (YYYY-MM-DD) from 1900-01-01 to 2299-12-31",
		header + row + "A B,b,c,2025-10-01,2,1,2\n":                               "FILE: row 3: column programme: must be an id: small letters, digits and hyphens",
		header + row + "a,b,c,2025-10-01,2,1\n":                                   "FILE: row 3: has 6 fields, the header has 7",
		header + row + row:                                                        "FILE: row 3: must not have the same programme, season, geography, day, quintile as row 2",
		"programme,season,geography,day,quintile,covered\na,b,c,2025-10-01,1,1\n": "FILE: row 1: column eligible: is missing: a file of kind history has the columns programme, season, geography, day, quintile, covered, eligible",
		"name,value\na,b\n":                                                       "FILE: row 1: its columns are those of no file that can be loaded",
		"programme,season,lsoa,practice,ethnicity,valid_from,eligible\nbp-x,rolling,,,,2025-01-01,5\n": "FILE: row 2: column programme: must be a programme of programmes.yaml",
		"PK\x03\x04": "FILE: is an Excel workbook or another archive: save it as CSV UTF-8",
	} {
		path := write(t, text)
		for name, o := range map[string]measurefile.Options{path: {Path: path}, "standard input": {Path: measurefile.Stdin, Stdin: strings.NewReader(text)}} {
			var out strings.Builder
			err := measurefile.Write(t.Context(), o, &out)
			var problems *load.Problems
			if !errors.As(err, &problems) || err.Error() != strings.Replace(want, "FILE", name, 1)+hint || out.Len() > 0 {
				t.Errorf("%q:\n%v\n%s", text, err, out.String())
			}
		}
	}
}

// A file of another kind that is sound in itself.
func TestOtherKinds(t *testing.T) {
	path := write(t, "code,label,source,from,to\nX02000001,left behind,someone,2025-01-01,\n")
	var out strings.Builder
	err := measurefile.Write(t.Context(), measurefile.Options{Path: path}, &out)
	if err == nil || !strings.HasPrefix(err.Error(), path+": holds flags, not a series; a series file has the columns") || out.Len() > 0 {
		t.Errorf("%v", err)
	}
}

// What cannot be read twice is measured as well, and no copy of it is left behind.
func TestStreams(t *testing.T) {
	want := measure(t, series, 100)
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	var out strings.Builder
	if err := measurefile.Write(t.Context(), measurefile.Options{Path: measurefile.Stdin, Stdin: strings.NewReader(series), Floor: 100}, &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-file +standard input):\n%s", diff)
	}

	broken := errors.New("broken")
	err := measurefile.Write(t.Context(), measurefile.Options{Path: measurefile.Stdin, Stdin: io.MultiReader(strings.NewReader(header), reader{broken})}, &out)
	if !errors.Is(err, broken) {
		t.Errorf("an input that breaks off: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	silent, end := io.Pipe()
	defer func() { _ = end.Close() }()
	if err := measurefile.Write(ctx, measurefile.Options{Path: measurefile.Stdin, Stdin: silent}, &out); !errors.Is(err, context.Canceled) {
		t.Errorf("an input that says nothing: %v", err)
	}

	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

type reader struct{ err error }

func (r reader) Read([]byte) (int, error) { return 0, r.err }

type writer struct{ err error }

func (w writer) Write([]byte) (int, error) { return 0, w.err }

func TestFileSystem(t *testing.T) {
	full := errors.New("full")
	if err := measurefile.Write(t.Context(), measurefile.Options{Path: write(t, series)}, writer{full}); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	if err := measurefile.Write(t.Context(), measurefile.Options{Path: filepath.Join(t.TempDir(), "none.csv")}, io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	folder := t.TempDir()
	if err := measurefile.Write(t.Context(), measurefile.Options{Path: folder}, io.Discard); err == nil || err.Error() != "read "+folder+": is a folder: give one file" {
		t.Errorf("%v", err)
	}
}

func TestParse(t *testing.T) {
	for line, want := range map[string]measurefile.Options{
		"a.csv":              {Path: "a.csv", Floor: 100},
		"-":                  {Path: "-", Floor: 100},
		"--floor 50 a.csv":   {Path: "a.csv", Floor: 50},
		"a.csv --floor=0":    {Path: "a.csv", Floor: 0},
		"- -floor 7":         {Path: "-", Floor: 7},
		"--floor 7 -- -.csv": {Path: "-.csv", Floor: 7},
	} {
		if got, err := measurefile.Parse(strings.Fields(line)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
	for line, want := range map[string]string{
		"":                 "usage: measure",
		"a.csv b.csv":      "one file at a time",
		"a.csv --floor -1": `invalid value "-1" for flag -floor`,
		"--flor 1 a.csv":   "flag provided but not defined: -flor",
	} {
		if _, err := measurefile.Parse(strings.Fields(line)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{"--help", "-h", "a.csv --help"} {
		if _, err := measurefile.Parse(strings.Fields(line)); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
