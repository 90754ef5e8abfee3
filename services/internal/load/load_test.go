package load_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/load"
	"gapwatch/services/internal/programme"
)

// programmes is two programmes: flu of one season, and a rolling check.
var programmes = programme.NewSet(2025,
	&programme.Programme{ID: "flu-65", Kind: programme.Seasonal, Seasons: []programme.Season{
		{ID: "2024-25", Start: calendar.Date(2024, 10, 3), End: calendar.Date(2025, 3, 31)},
		{ID: "2025-26", Start: calendar.Date(2025, 10, 1), End: calendar.Date(2026, 3, 31)}}},
	&programme.Programme{ID: "bp-check", Kind: programme.Rolling, Validity: 12, HistoryFrom: calendar.Date(2024, 1, 1)},
)

func check(t testing.TB, paths ...string) (*load.Plan, error) {
	t.Helper()
	return load.Check(t.Context(), paths, load.Options{Programmes: programmes})
}

func mustCheck(t testing.TB, paths ...string) *load.Plan {
	t.Helper()
	plan, err := check(t, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func parts(f *load.File) string {
	var lines []string
	for _, p := range f.Parts {
		lines = append(lines, fmt.Sprintf("%s %s %d", p.Kind, p.Key, p.Rows))
	}
	return strings.Join(lines, "; ")
}

func relation(t testing.TB, f *load.File, name string) *load.Relation {
	t.Helper()
	for _, r := range f.Lookups.Relations {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("%s has no relation %s", f.Path, name)
	return nil
}

func TestFile7IsReadByItsPublishedHeader(t *testing.T) {
	for _, c := range []struct {
		file, relation string
		want           map[string]area.Deprivation
	}{
		{"testdata/file_7_2019.csv", load.IMD2019, map[string]area.Deprivation{
			"E01000001": {Rank: 29199, Decile: 9}, "E01000002": {Rank: 30379, Decile: 10}, "E01000003": {Rank: 14915, Decile: 5}}},
		{"testdata/file_7_2025.csv", load.IMD2025, map[string]area.Deprivation{
			"E01000001": {Rank: 26525, Decile: 8}, "E01000021": {Rank: 12, Decile: 1}}},
	} {
		f := mustCheck(t, c.file).Files[0]
		if got := relation(t, f, c.relation).Deprivation; !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.file, got, c.want)
		}
		if got, want := parts(f), fmt.Sprintf("lookup %s %d", c.relation, len(c.want)); got != want {
			t.Errorf("%s: parts are %q, want %q", c.file, got, want)
		}
	}
}

func TestPracticesToPCN(t *testing.T) {
	for _, c := range []struct {
		file, parts, names string
		ended              int
		want               map[string]string
	}{
		{"testdata/epcn.csv", "practices  3; names pcn/practice-pcn 2", "map[U10001:INVENTED PCN U10002:OTHER PCN]", 1,
			map[string]string{"A81001": "U10001", "A81002": "U10001", "A81003": "U10002"}},
		{"testdata/practice_pcn.csv", "practices  2", "", 0, map[string]string{"SYN001": "SYNP01", "SYN002": "SYNP01"}},
	} {
		f := mustCheck(t, c.file).Files[0]
		got := map[string]string{}
		for practice, pcns := range relation(t, f, load.PracticeToPCN).Targets {
			got[practice] = strings.Join(pcns, "+")
		}
		if !maps.Equal(got, c.want) || parts(f) != c.parts || f.Lookups.Ended != c.ended {
			t.Errorf("%s: %v, %q, %d ended; want %v, %q, %d", c.file, got, parts(f), f.Lookups.Ended, c.want, c.parts, c.ended)
		}
		if names, ok := f.Lookups.Names["pcn/practice-pcn"]; ok && fmt.Sprint(names.Names) != c.names {
			t.Errorf("%s: names are %v, want %s", c.file, names.Names, c.names)
		}
	}
}

// One file may hold several look-ups; columns of other years, names and empty rows do no harm.
func TestWideFileInONSStyle(t *testing.T) {
	f := mustCheck(t, "testdata/ons_wide.csv").Files[0]
	want := "lookup lsoa21-msoa21 3; lookup lsoa21-lad24 3; lookup lsoa21-icb24 2; lookup lad24-rgn24 1; " +
		"names neighbourhood/lsoa21-msoa21 2; names place/lad24-rgn24 2; names place/lsoa21-lad24 2; names region/lad24-rgn24 1; " +
		"names system/lsoa21-icb24 1"
	if got := parts(f); got != want {
		t.Errorf("parts are\n%s, want\n%s", got, want)
	}
	relations := map[string]*load.Relation{}
	for _, r := range f.Lookups.Relations {
		relations[r.Name] = r
	}
	got := area.Resolve(load.Raw(relations))
	wanted := []area.Resolved{
		{LSOA: "E01000001", Neighbourhood: "E02000001", Place: "E06000001", System: "E54000001", Region: "E12000001"},
		{LSOA: "E01000021", Neighbourhood: "E02000001", Place: "E06000001", System: "E54000001", Region: "E12000001"},
		{LSOA: "W01000001", Neighbourhood: "W02000001", Place: "W06000001"},
	}
	if !slices.Equal(got, wanted) {
		t.Errorf("areas are %+v, want %+v", got, wanted)
	}
	if name := f.Lookups.Names["place/lsoa21-lad24"].Names["W06000001"]; name != "Dyfeisiedig ŵ" {
		t.Errorf("the name of W06000001 is %q", name)
	}
}

const eligibleHeader = "programme,season,lsoa,practice,ethnicity,valid_from,eligible\n"

func TestEligibleInAnyOrderAndCaseOfColumns(t *testing.T) {
	plan := mustCheck(t,
		write(t, "a.csv", eligibleHeader+"flu-65,2024-25,E01000001,A81001,A,2024-10-03,12\nflu-65,2024-25,,A81001,Z,2024-10-03,0\nbp-check,rolling,E01000001,,,2024-01-01,7\n"),
		write(t, "b.csv", "\xef\xbb\xbf\"ELIGIBLE\",Valid From,note,Practice,\"Ethnicity\",LSOA,Season,Programme\r\n3,2025-01-01,x,,,E01000001,2024-25,flu-65\r\n"))
	want := []string{
		"eligible flu-65/2024-25/2024-10-03 2; eligible bp-check/rolling/2024-01-01 1",
		"eligible flu-65/2024-25/2025-01-01 1",
	}
	for i, f := range plan.Files {
		if f.Kind != load.Eligible || parts(f) != want[i] {
			t.Errorf("%s: %s, %q; want %q", f.Path, f.Kind, parts(f), want[i])
		}
	}
	var rows []load.EligibleRow
	for _, f := range plan.Files {
		if err := f.EachEligible(t.Context(), func(r load.EligibleRow) error { rows = append(rows, r); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	autumn, winter := calendar.Date(2024, 10, 3), calendar.Date(2025, 1, 1)
	wanted := []load.EligibleRow{
		{"flu-65", "2024-25", "E01000001", "A81001", "A", autumn, 12},
		{"flu-65", "2024-25", "", "A81001", "Z", autumn, 0},
		{"bp-check", "rolling", "E01000001", "", "", calendar.Date(2024, 1, 1), 7},
		{"flu-65", "2024-25", "E01000001", "", "", winter, 3},
	}
	if !slices.Equal(rows, wanted) {
		t.Errorf("rows are %+v, want %+v", rows, wanted)
	}
}

// A file of rows stays one whatever look-up its other columns hold: as a look-up it would replace a whole relation.
func TestRowsWithTheColumnsOfALookUpAreNoLookUp(t *testing.T) {
	const (
		eligible      = "programme,season,lsoa,practice,ethnicity,valid_from,eligible"
		history       = "programme,season,geography,day,quintile,covered,eligible"
		interventions = "programme,geography,from,to,label"
		flags         = "code,label,source,from,to"
	)
	for _, rows := range []struct{ header, row, parts string }{
		{eligible, "flu-65,2024-25,E01000001,A81001,A,2024-10-03,12", "eligible flu-65/2024-25/2024-10-03 1"},
		{history, "flu,2020,E92000001,2021-08-04,1,7,70", "history flu/2020/E92000001 1"},
		{interventions, "flu-65,E06000001,2024-11-01,,Calls", "interventions flu-65 1"},
		{flags, "E02000001,left behind,invented,2023-01-01,", "flags left behind\tinvented 1"},
	} {
		for _, lookup := range []struct{ header, row string }{
			{"practice_code,pcn_code", "A81001,U10001"},
			{"LSOA21CD,LAD24CD,LAD24NM", "E01000001,E06000001,Invented"},
			{"lsoa21_code,imd_rank,imd_decile", "E01000001,1,1"},
		} {
			path := write(t, "rows.csv", lookup.header+","+rows.header+"\n"+lookup.row+","+rows.row+"\n")
			if f := mustCheck(t, path).Files[0]; parts(f) != rows.parts {
				t.Errorf("%s,%s: %s, want %s", lookup.header, rows.header, parts(f), rows.parts)
			}
		}
	}
	path := write(t, "eligible.csv", eligible+",pcn_code\nflu-65,2024-25,E01000001,A81001,A,2024-10-03,12,U10001\n")
	if f := mustCheck(t, path).Files[0]; parts(f) != "eligible flu-65/2024-25/2024-10-03 1" {
		t.Errorf("eligible people with their PCN: %s", parts(f))
	}
	path = write(t, "practices.csv", "practice,pcn,from,to,source\nA81001,U10001,2024-04-01,,invented\n")
	if f := mustCheck(t, path).Files[0]; parts(f) != "practices  1" {
		t.Errorf("practices with some columns that other files have too: %s", parts(f))
	}
}

// In a folder too: a file that is skipped would be missed by nobody.
func TestFilesThatMayBeOfTwoKindsAreRefused(t *testing.T) {
	for header, want := range map[string]string{
		"programme,season,lsoa,practice,ethnicity,valid_from,eligible,geography,day,quintile,covered": "is of two kinds by its columns, eligible and history: leave out those that only one of them has",
		"programme,geography,from,to,label,code,source":                                               "is of two kinds by its columns, interventions and flags: leave out those that only one of them has",
		"programme,season,lsoa,practice,pcn_code,valid_from,eligible":                                 "is of kind lookup by its columns and, but for ethnicity, of kind eligible: add what is missing, or leave out what the look-up does not need",
		"programme,season,valid_from,eligible,lsoa,LSOA21CD,LAD24CD":                                  "is of kind lookup by its columns and, but for practice, ethnicity, of kind eligible: add what is missing, or leave out what the look-up does not need",
		"code,label,from,to,LSOA21CD,LAD24CD":                                                         "is of kind lookup by its columns and, but for source, of kind flags: add what is missing, or leave out what the look-up does not need",
	} {
		path := write(t, "two.csv", header+"\n")
		for _, named := range []string{path, filepath.Dir(path)} {
			if _, err := check(t, named); err == nil || err.Error() != path+": row 1: "+want {
				t.Errorf("%s:\ngot  %v\nwant %s", header, err, want)
			}
		}
	}
}

func TestContentIsTheSameInAnyOrderOfRows(t *testing.T) {
	const a, b = "flu-65,2024-25,E01000001,,,2024-10-03,12\n", "flu-65,2024-25,E01000002,,,2024-10-03,9\n"
	digest := func(content string) string {
		return mustCheck(t, write(t, "e.csv", eligibleHeader+content)).Files[0].Parts[0].SHA256
	}
	if digest(a+b) != digest(b+a) {
		t.Error("another order of rows is other content")
	}
	if digest(a+b) == digest(a+strings.Replace(b, ",9", ",8", 1)) || digest(a+b) == digest(a) {
		t.Error("another figure, or a row less, is the same content")
	}
	if len(digest(a)) != 64 {
		t.Errorf("%q is no SHA-256 in hex", digest(a))
	}
}

// A look-up is the same in any order of its rows: an empty cell says nothing, before or after a row that gives it.
func TestLookUpIsTheSameInAnyOrderOfRows(t *testing.T) {
	for _, c := range []struct {
		header, want string
		rows         []string
	}{
		{"LSOA21CD,LAD24CD", "lookup lsoa21-lad24 1", []string{"E01000001,\n", "E01000001,E09000001\n", "W01000001,W99999999\n"}},
		{"LSOA21CD,ICB24CD,ICB24NM", "lookup lsoa21-icb24 2; names system/lsoa21-icb24 1",
			[]string{"E01000001,E54000001,\n", "E01000002,E54000001,NHS Invented\n", "E01000002,E99999999,(pseudo)\n"}},
		{"LAD24CD,LAD24NM,RGN24CD,RGN24NM", "lookup lad24-rgn24 1; names place/lad24-rgn24 1; names region/lad24-rgn24 1",
			[]string{"E09000001,,,\n", "E09000001,Invented,E12000001,Invented Region\n", "E09000001,Invented,E12000001,\n"}},
		{"practice,pcn,pcn name", "practices  2; names pcn/practice-pcn 1", []string{"A81001,U10001,\n", "A81002,U10001,INVENTED PCN\n", "A81001,U10001,INVENTED PCN\n"}},
	} {
		var first *load.File
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			path := write(t, "l.csv", c.header+"\n"+c.rows[order[0]]+c.rows[order[1]]+c.rows[order[2]])
			plan, err := check(t, path)
			if err != nil {
				t.Errorf("%s, rows %v: %v", c.header, order, err)
				continue
			}
			f := plan.Files[0]
			if first == nil {
				first = f
			}
			if parts(f) != c.want || !slices.Equal(f.Parts, first.Parts) {
				t.Errorf("%s, rows %v: %+v, want %s", c.header, order, f.Parts, c.want)
			}
		}
	}
}

func TestOtherListsAreRead(t *testing.T) {
	plan := mustCheck(t,
		write(t, "h.csv", "programme,season,geography,day,quintile,covered,eligible\ncovid-dose1-5-11,2020,E92000001,2021-08-04,0,14,7\ncovid-dose1-5-11,2020,E92000001,2021-08-04,1,7,278796\n"),
		write(t, "i.csv", "label,to,from,geography,programme\n\"Bus, Saturdays\",,2024-11-01,E06000001,flu-65\nCalls,2024-11-30,2024-11-01,E06000001,flu-65\n"),
		write(t, "f.csv", "code,label,source,from,to\nE02000001,left behind,invented,2023-01-01,\n"))
	want := []string{"history covid-dose1-5-11/2020/E92000001 2", "interventions flu-65 2", "flags left behind\tinvented 1"}
	for i, f := range plan.Files {
		if parts(f) != want[i] {
			t.Errorf("parts are %q, want %q", parts(f), want[i])
		}
	}
	var got []string
	first := func(row any) error { got = append(got, fmt.Sprintf("%+v", row)); return nil }
	for _, err := range []error{
		plan.Files[0].EachHistory(t.Context(), func(r load.HistoryRow) error { return first(r) }),
		plan.Files[1].EachIntervention(t.Context(), func(r load.InterventionRow) error { return first(r) }),
		plan.Files[2].EachFlag(t.Context(), func(r load.FlagRow) error { return first(r) }),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	wanted := []string{
		"{Programme:covid-dose1-5-11 Season:2020 Geography:E92000001 Day:2021-08-04 Quintile:0 Covered:14 Eligible:7}",
		"{Programme:covid-dose1-5-11 Season:2020 Geography:E92000001 Day:2021-08-04 Quintile:1 Covered:7 Eligible:278796}",
		"{Programme:flu-65 Geography:E06000001 From:2024-11-01 To:2299-12-31 Label:Bus, Saturdays}",
		"{Programme:flu-65 Geography:E06000001 From:2024-11-01 To:2024-11-30 Label:Calls}",
		"{Code:E02000001 Label:left behind Source:invented From:2023-01-01 To:2299-12-31}",
	}
	if !slices.Equal(got, wanted) {
		t.Errorf("rows are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
}

func TestFolderSkipsWhatCannotBeLoaded(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"population.csv": "lsoa11_code,total\nE01000001,7\n",
		"old.CSV":        "lsoa11_code,ltla19_code\nE01000001,E06000001\n",
		"notes.txt":      "not a table",
		"practices.csv":  "practice,pcn\nA81001,U10001\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plan := mustCheck(t, dir)
	if len(plan.Files) != 1 || filepath.Base(plan.Files[0].Path) != "practices.csv" {
		t.Errorf("%d files are to be loaded", len(plan.Files))
	}
	want := map[string]string{
		"population.csv": "its columns are those of no file that can be loaded",
		"old.CSV":        "its columns are those of no file that can be loaded (ltla19_code is of 2019: areas are those of 2024 by the 2021 LSOA)",
	}
	for _, s := range plan.Skipped {
		if want[filepath.Base(s.Path)] != s.Why {
			t.Errorf("%s: %s", s.Path, s.Why)
		}
	}
	if len(plan.Skipped) != len(want) {
		t.Errorf("%d files were skipped, want %d", len(plan.Skipped), len(want))
	}
	if _, err := check(t, t.TempDir()); err == nil || !strings.Contains(err.Error(), "has no .csv file") {
		t.Errorf("an empty folder: %v", err)
	}
}

// Two files may repeat a look-up, which wide files do, but not contradict one another.
func TestFilesThatNameTheSame(t *testing.T) {
	narrow := write(t, "narrow.csv", "LSOA21CD,LAD24CD\nE01000001,E06000001\nE01000021,E06000001\nW01000001,W06000001\n")
	plan := mustCheck(t, "testdata/ons_wide.csv", narrow)
	if got := parts(plan.Files[1]); got != "" {
		t.Errorf("what was repeated is loaded twice: %s", got)
	}
	other := write(t, "other.csv", "LSOA21CD,LAD24CD\nE01000001,E06000002\n")
	row := "flu-65,2024-25,E01000001,,,2024-10-03,12\n"
	one, two := write(t, "one.csv", eligibleHeader+row), write(t, "two.csv", eligibleHeader+row)
	for _, c := range []struct {
		paths []string
		what  string
	}{
		{[]string{"testdata/ons_wide.csv", other}, "lookup lsoa21-lad24"},
		{[]string{one, two}, "eligible flu-65/2024-25/2024-10-03"},
	} {
		_, err := check(t, c.paths...)
		want := c.paths[1] + ": must not give the same as " + c.paths[0] + ": " + c.what
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestProblemsAreCountedWhenThereAreMany(t *testing.T) {
	_, err := check(t, write(t, "e.csv", eligibleHeader+strings.Repeat("flu-65,2024-25,E1,,,2024-10-03,1\n", 500)))
	var problems *load.Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	if len(problems.List) != load.Shown || problems.More != 500-load.Shown {
		t.Errorf("%d shown and %d more, want %d and %d", len(problems.List), problems.More, load.Shown, 500-load.Shown)
	}
	if !strings.HasSuffix(err.Error(), "\nand 480 more") {
		t.Errorf("the error ends with %q", err.Error()[len(err.Error())-20:])
	}
	if last := problems.List[load.Shown-1].Row; last != load.Shown+1 {
		t.Errorf("the last one shown is of row %d, want %d: they come in order", last, load.Shown+1)
	}
}

func TestFileThatChangesAfterItWasCheckedIsRefused(t *testing.T) {
	const row = "flu-65,2024-25,E01000001,,,2024-10-03,12\n"
	for name, later := range map[string]string{
		"another figure": eligibleHeader + strings.Replace(row, "12", "13", 1),
		"a row more":     eligibleHeader + row + "flu-65,2024-25,E01000002,,,2024-10-03,1\n",
		"a bad row":      eligibleHeader + row + "flu-65,2024-25,E1,,,2024-10-03,1\n",
		"other columns":  "a,b\n1,2\n",
		"nothing":        "",
	} {
		path := write(t, "e.csv", eligibleHeader+row)
		f := mustCheck(t, path).Files[0]
		if err := os.WriteFile(path, []byte(later), 0o600); err != nil {
			t.Fatal(err)
		}
		err := f.EachEligible(t.Context(), func(load.EligibleRow) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "changed while it was being loaded") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProgressIsToldAndTheContextHeeded(t *testing.T) {
	var b strings.Builder
	b.WriteString(eligibleHeader)
	const rows = 25_000
	for i := range rows {
		fmt.Fprintf(&b, "flu-65,2024-25,E%08d,,,2024-10-03,1\n", i)
	}
	path := write(t, "e.csv", b.String())
	var told []load.Progress
	ctx, cancel := context.WithCancel(t.Context())
	o := load.Options{Programmes: programmes, Progress: func(p load.Progress) { told = append(told, p) }}
	if _, err := load.Check(ctx, []string{path}, o); err != nil {
		t.Fatal(err)
	}
	if len(told) != 3 || told[0].Rows != 10_000 || told[2].Rows != rows || told[2].Bytes != int64(b.Len()) || told[2].Size != int64(b.Len()) {
		t.Errorf("told %+v", told)
	}
	o.Progress = func(load.Progress) { cancel() }
	if _, err := load.Check(ctx, []string{path}, o); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled check ends with %v", err)
	}
}
