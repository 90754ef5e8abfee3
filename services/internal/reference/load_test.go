package reference_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/load"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
)

var programmes = programme.NewSet(2025,
	&programme.Programme{ID: "flu-65", Kind: programme.Seasonal, Seasons: []programme.Season{
		{ID: "2024-25", Start: calendar.Date(2024, 10, 3), End: calendar.Date(2025, 3, 31)}}},
	&programme.Programme{ID: "flu-6", Kind: programme.Seasonal, Seasons: []programme.Season{
		{ID: "2024-25", Start: calendar.Date(2024, 10, 3), End: calendar.Date(2025, 3, 31)}}},
)

// The files, made by hand.
const (
	imd2019  = "lsoa11_code,imd_rank,imd_decile\nE01000001,5,1\nE01000002,9,4\n"
	imd2025  = "lsoa21_code,imd_rank,imd_decile\nE01000001,7,3\nE01000021,6,2\nE01000022,8,4\n"
	changes  = "LSOA11CD,LSOA21CD,CHGIND\nE01000001,E01000001,U\nE01000002,E01000021,S\nE01000002,E01000022,S\n"
	msoas    = "LSOA11CD,MSOA11CD,MSOA11NM\nE01000001,E02000001,Northmoor 001\nE01000002,E02000002,Northmoor 002\n"
	places   = "LSOA21CD,LAD24CD,LAD24NM\nE01000001,E06000001,Northmoor\nE01000021,E06000001,Northmoor\nE01000022,E06000002,Southmoor\n"
	systems  = "LSOA21CD,ICB24CD,ICB24NM\nE01000001,E54000001,NHS Moors\nE01000021,E54000001,NHS Moors\nE01000022,E54000001,NHS Moors\n"
	regions  = "LAD24CD,LAD24NM,RGN24CD,RGN24NM\nE06000001,Northmoor,E12000001,Moors\nE06000002,Southmoor,E12000001,Moors\n"
	practice = "practice,pcn,pcn name\nA81001,U10001,Moor PCN\n"

	header = "programme,season,lsoa,practice,ethnicity,valid_from,eligible\n"
)

// files writes files of the names and contents given in turn, and returns their paths.
func files(t testing.TB, contents ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for i, content := range contents {
		path := filepath.Join(dir, fmt.Sprintf("%d.csv", i))
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func plan(t testing.TB, paths ...string) *load.Plan {
	t.Helper()
	p, err := load.Check(t.Context(), paths, load.Options{Programmes: programmes})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustLoad(t testing.TB, conn driver.Conn, contents ...string) reference.Report {
	t.Helper()
	report, err := reference.Load(t.Context(), conn, plan(t, files(t, contents...)...))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func areas(t testing.TB, conn driver.Conn, edition int) *area.Index {
	t.Helper()
	ix, err := reference.Areas(t.Context(), conn, edition)
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

// eligible is the denominators in force, a line each.
func eligible(t testing.TB, conn driver.Conn, id string) []string {
	t.Helper()
	var lines []string
	err := reference.Eligible(t.Context(), conn, id, func(r reference.EligibleRow) error {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s %d", r.Season, r.ValidFrom, r.LSOA, r.Practice, r.Ethnicity, r.Eligible))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func count(t testing.TB, conn driver.Conn, query string) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLookupsBecomeAreas(t *testing.T) {
	conn := open(t)
	if got := areas(t, conn, 2025).Find("E01000001"); got != (area.Area{}) {
		t.Errorf("in an empty store E01000001 lies in %+v", got)
	}
	report := mustLoad(t, conn, imd2019, imd2025, changes, msoas, places, systems, regions, practice)
	if want := (reference.AreaReport{Codes: 4, NoPlace: 1, NoQuintile2025: 1}); report.Load != 1 || report.Areas == nil || *report.Areas != want {
		t.Errorf("load %d, areas %+v", report.Load, report.Areas)
	}
	moors := area.Area{System: "E54000001", Region: "E12000001"}
	lies := func(msoa, place string, quintile uint8, rank uint32) area.Area {
		a := moors
		a.Neighbourhood, a.Place, a.Quintile, a.Rank = msoa, place, quintile, rank
		return a
	}
	for edition, want := range map[int]map[string]area.Area{
		2019: {"E01000001": lies("E02000001", "E06000001", 1, 5), "E01000002": lies("E02000002", "", 2, 9),
			"E01000021": lies("E02000002", "E06000001", 2, 9), "E01000022": lies("E02000002", "E06000002", 2, 9), "E01000003": {}, "": {}},
		2025: {"E01000001": lies("E02000001", "E06000001", 2, 7), "E01000002": lies("E02000002", "", 0, 0),
			"E01000021": lies("E02000002", "E06000001", 1, 6), "E01000022": lies("E02000002", "E06000002", 2, 8), "E01000003": {}, "": {}},
	} {
		ix := areas(t, conn, edition)
		for lsoa, a := range want {
			if got := ix.Find(lsoa); got != a {
				t.Errorf("%d: %q lies in %+v, want %+v", edition, lsoa, got, a)
			}
		}
		if ix.PCN("A81001") != "U10001" || ix.PCN("A81002") != "" {
			t.Errorf("PCNs are %q and %q", ix.PCN("A81001"), ix.PCN("A81002"))
		}
	}
	if _, err := reference.Areas(t.Context(), conn, 2015); err == nil {
		t.Error("the edition of 2015 was taken")
	}
	names, err := reference.Names(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(names), "map[E02000001:Northmoor 001 E02000002:Northmoor 002 E06000001:Northmoor E06000002:Southmoor "+
		"E12000001:Moors E54000001:NHS Moors U10001:Moor PCN]"; got != want {
		t.Errorf("names are %s, want %s", got, want)
	}
}

// A file loaded later by itself is resolved with those that were loaded earlier.
func TestLookupLoadedLaterIsResolvedWithTheOthers(t *testing.T) {
	conn := open(t)
	for _, content := range []string{changes, msoas, places, systems, regions, imd2025} {
		mustLoad(t, conn, content)
	}
	if got := areas(t, conn, 2025).Find("E01000021"); got.Quintile != 1 || got.Neighbourhood != "E02000002" || got.Region != "E12000001" {
		t.Errorf("E01000021 lies in %+v", got)
	}
	mustLoad(t, conn, strings.Replace(imd2025, "E01000021,6,2\nE01000022,8,4", "E01000021,6,2\nE01000022,6,2", 1)) // now both parts are alike
	if got := areas(t, conn, 2025).Find("E01000002"); got.Quintile != 1 || got.Neighbourhood != "E02000002" {
		t.Errorf("E01000002 lies in %+v", got)
	}
	if got := generation(t, conn, "flu-65"); got != 7 {
		t.Errorf("generation %d after seven loads", got)
	}
	// names come with several look-ups; the newest is the one to show
	for i, later := range []string{strings.Replace(regions, "Northmoor", "North Moor", 1), strings.ReplaceAll(places, "Northmoor", "Moor, North of")} {
		mustLoad(t, conn, strings.ReplaceAll(later, "Moor, North of", "\"Moor, North of\""))
		names, err := reference.Names(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"North Moor", "Moor, North of"}[i]; names["E06000001"] != want {
			t.Errorf("E06000001 is called %q, want %q", names["E06000001"], want)
		}
	}
}

func TestSameAgainChangesNothing(t *testing.T) {
	conn := open(t)
	rows := []string{"flu-65,2024-25,E01000001,,,2024-10-03,12", "flu-65,2024-25,E01000021,,,2024-10-03,9"}
	first := header + rows[0] + "\n" + rows[1] + "\n"
	turned := header + rows[1] + "\n" + rows[0] + "\n"
	set := []string{imd2019, imd2025, changes, places, practice, first}
	mustLoad(t, conn, set...)
	for i, again := range [][]string{set, {turned}, {imd2025}} {
		report := mustLoad(t, conn, again...)
		if report.Load != 0 || report.Areas != nil {
			t.Errorf("%d: load %d was made, areas %v", i, report.Load, report.Areas)
		}
		for _, f := range report.Files {
			if f.Loaded != 0 || f.Unchanged != len(f.File.Parts) {
				t.Errorf("%s: %d loaded, %d unchanged", f.File.Path, f.Loaded, f.Unchanged)
			}
		}
	}
	if n := count(t, conn, "SELECT count() FROM prevention.loads WHERE load > 1"); n != 0 {
		t.Errorf("%d lines were added to the loads", n)
	}
	if got := eligible(t, conn, "flu-65"); len(got) != 2 {
		t.Errorf("eligible people are %v", got)
	}
}

// A changed file replaces the triples that it names and nothing else, and is news for its programme alone.
func TestChangedFileReplacesWhatItNames(t *testing.T) {
	conn := open(t)
	mustLoad(t, conn, header+
		"flu-65,2024-25,E01000001,,,2024-10-03,12\nflu-65,2024-25,E01000021,,,2024-10-03,9\n"+
		"flu-65,2024-25,E01000001,,,2025-01-01,11\n"+
		"flu-6,2024-25,E01000001,A81001,A,2024-10-03,5\n")
	report := mustLoad(t, conn, header+
		"flu-65,2024-25,E01000022,,,2024-10-03,4\n"+ // other rows for October
		"flu-65,2024-25,E01000001,,,2025-01-01,11\n"+ // January as it was
		"flu-65,2024-25,,,,2025-02-01,3\n") // February is new
	if f := report.Files[0]; report.Load != 2 || f.Loaded != 2 || f.Unchanged != 1 {
		t.Errorf("load %d, %d loaded, %d unchanged", report.Load, f.Loaded, f.Unchanged)
	}
	want := []string{"2024-25 2024-10-03 E01000022   4", "2024-25 2025-01-01 E01000001   11", "2024-25 2025-02-01    3"}
	if got := eligible(t, conn, "flu-65"); !slices.Equal(got, want) {
		t.Errorf("flu-65: %q, want %q", got, want)
	}
	if n := count(t, conn, "SELECT count() FROM prevention.eligible WHERE valid_from = '2025-01-01'"); n != 1 {
		t.Errorf("what did not change has %d rows: it was written again", n)
	}
	want = []string{"2024-25 2024-10-03 E01000001 A81001 A 5"}
	if got := eligible(t, conn, "flu-6"); !slices.Equal(got, want) {
		t.Errorf("flu-6: %q, want %q", got, want)
	}
	if a, b, c := generation(t, conn, "flu-65"), generation(t, conn, "flu-6"), generation(t, conn, "bp-check"); a != 2 || b != 1 || c != 0 {
		t.Errorf("generations are %d, %d and %d, want 2, 1 and 0", a, b, c)
	}
	// back to what was there at first: not the same as what is in force
	if report := mustLoad(t, conn, header+"flu-65,2024-25,E01000001,,,2024-10-03,12\nflu-65,2024-25,E01000021,,,2024-10-03,9\n"); report.Load != 3 {
		t.Errorf("load %d, want 3", report.Load)
	}
	if got := eligible(t, conn, "flu-65")[0]; got != "2024-25 2024-10-03 E01000001   12" {
		t.Errorf("flu-65 begins with %q", got)
	}
}

func TestOtherKindsAreStoredAndReplaced(t *testing.T) {
	conn := open(t)
	const (
		history       = "programme,season,geography,day,quintile,covered,eligible\n"
		interventions = "programme,geography,from,to,label\n"
		flags         = "code,label,source,from,to\n"
	)
	mustLoad(t, conn, history+"old,1951,E92000001,1951-02-03,0,1,2\nold,1952,E92000001,1952-02-29,5,3,4\n",
		interventions+"flu-65,E06000001,2024-11-01,,Calls\nflu-6,E06000001,2024-11-01,2024-12-01,Bus\n",
		flags+"E02000001,left behind,one,2023-01-01,\nE02000002,left behind,two,2023-01-01,\n")
	mustLoad(t, conn, history+"old,1951,E92000001,1951-02-03,0,9,20\n",
		interventions+"flu-65,E06000002,2024-11-02,,Letters\n",
		flags+"E02000003,left behind,one,2023-01-01,2024-01-01\n")
	for query, want := range map[string]string{
		"SELECT arrayStringConcat(groupArray(line), '; ') FROM (SELECT concat(programme, ' ', season, ' ', geography, ' ', toString(day), ' ', " +
			"toString(quintile), ' ', toString(covered), ' ', toString(eligible)) AS line FROM prevention.history " +
			"WHERE (batch, concat(programme, '/', season, '/', geography)) IN (SELECT batch, key FROM prevention.loads_now WHERE kind = 'history') ORDER BY line)": "old 1951 E92000001 1951-02-03 0 9 20; old 1952 E92000001 1952-02-29 5 3 4",
		"SELECT arrayStringConcat(groupArray(line), '; ') FROM (SELECT concat(programme, ' ', geography, ' ', toString(from_day), ' ', toString(to_day), ' ', label) AS line " +
			"FROM prevention.interventions WHERE (batch, programme) IN (SELECT batch, key FROM prevention.loads_now WHERE kind = 'interventions') ORDER BY line)": "flu-6 E06000001 2024-11-01 2024-12-01 Bus; flu-65 E06000002 2024-11-02 2299-12-31 Letters",
		"SELECT arrayStringConcat(groupArray(line), '; ') FROM (SELECT concat(code, ' ', label, ' ', source, ' ', toString(from_day), ' ', toString(to_day)) AS line " +
			"FROM prevention.flags WHERE (batch, concat(label, '\\t', source)) IN (SELECT batch, key FROM prevention.loads_now WHERE kind = 'flags') ORDER BY line)": "E02000002 left behind two 2023-01-01 2299-12-31; E02000003 left behind one 2023-01-01 2024-01-01",
	} {
		var got string
		if err := conn.QueryRow(t.Context(), query).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A loader that ends half-way leaves what was in force, and the next one is not disturbed by what it left.
func TestLoadCutShortChangesNothing(t *testing.T) {
	conn := open(t)
	const rows = 250_000 // more than two inserts
	big := func(eligible int) []string {
		var b strings.Builder
		b.WriteString(header)
		for i := range rows {
			fmt.Fprintf(&b, "flu-65,2024-25,E%08d,,,2024-10-03,%d\n", i, eligible)
		}
		return files(t, b.String())
	}
	mustLoad(t, conn, header+"flu-65,2024-25,E01000001,,,2024-10-03,12\n")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	paths := big(1)
	cut, err := load.Check(t.Context(), paths, load.Options{Programmes: programmes, Progress: func(p load.Progress) {
		if p.Phase == "loading" && p.Rows > rows/2 {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reference.Load(ctx, conn, cut); !errors.Is(err, context.Canceled) {
		t.Fatalf("the load that was cut short ended with %v", err)
	}
	if n := count(t, conn, "SELECT count() FROM prevention.eligible"); n < 100_000 || n >= rows {
		t.Fatalf("the load was cut short after %d rows, want a part of %d", n, rows)
	}
	if got := eligible(t, conn, "flu-65"); len(got) != 1 || generation(t, conn, "flu-65") != 1 {
		t.Errorf("%d rows are in force, generation %d", len(got), generation(t, conn, "flu-65"))
	}

	report, err := reference.Load(t.Context(), conn, plan(t, paths...))
	if err != nil {
		t.Fatal(err)
	}
	if got := eligible(t, conn, "flu-65"); report.Load != 2 || len(got) != rows {
		t.Errorf("load %d, %d rows in force, want 2 and %d", report.Load, len(got), rows)
	}
}

// An insert that arrived twice, or in part, would be counted twice or in part: the load is refused.
func TestLoadWithOtherRowsThanItsFileIsRefused(t *testing.T) {
	conn := open(t)
	var b strings.Builder
	b.WriteString(header)
	for i := range 150_000 {
		fmt.Fprintf(&b, "flu-65,2024-25,E%08d,,,2024-10-03,1\n", i)
	}
	disturbed := false
	checked, err := load.Check(t.Context(), files(t, b.String()), load.Options{Programmes: programmes, Progress: func(p load.Progress) {
		if p.Phase == "loading" && p.Rows > 100_000 && !disturbed {
			disturbed = true
			if err := conn.Exec(context.Background(), "INSERT INTO prevention.eligible SELECT * FROM prevention.eligible LIMIT 1"); err != nil {
				t.Error(err)
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reference.Load(t.Context(), conn, checked); err == nil || !strings.Contains(err.Error(), "prevention.eligible holds 150001 rows of this load, not 150000") {
		t.Errorf("the load ended with %v", err)
	}
	if got := eligible(t, conn, "flu-65"); len(got) != 0 {
		t.Errorf("%d rows are in force", len(got))
	}
}

func TestFileThatChangedSinceItWasCheckedIsNotLoaded(t *testing.T) {
	conn := open(t)
	const row = "flu-65,2024-25,E01000001,,,2024-10-03,12\n"
	paths := files(t, header+row)
	checked := plan(t, paths...)
	if err := os.WriteFile(paths[0], []byte(header+strings.Replace(row, "12", "13", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := reference.Load(t.Context(), conn, checked); err == nil || !strings.Contains(err.Error(), "changed while it was being loaded") {
		t.Errorf("the load ended with %v", err)
	}
	if got := eligible(t, conn, "flu-65"); len(got) != 0 || generation(t, conn, "flu-65") != 0 {
		t.Errorf("in force are %v", got)
	}
}

// The one in force and the one before it keep their rows; so do, for a day, rows that no load lists yet.
func TestOldRowsAreRemoved(t *testing.T) {
	conn := open(t)
	row := func(n int) string { return fmt.Sprintf("%sflu-65,2024-25,E01000001,,,2024-10-03,%d\n", header, n) }
	mustLoad(t, conn, header+"flu-65,2024-25,E01000001,,,2025-01-01,7\n")
	for hours, eligible := range map[int]int{1: 1001, 25: 1025} {
		batch := time.Now().Add(-time.Duration(hours)*time.Hour).UnixMilli() << 20
		if err := conn.Exec(t.Context(), fmt.Sprintf("INSERT INTO prevention.eligible SELECT %d, 'flu-65', '2024-25', toDate32('2024-10-03'), '', '', '', %d", batch, eligible)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 4 {
		mustLoad(t, conn, row(n))
	}
	var left []uint32
	if err := conn.QueryRow(t.Context(), "SELECT arraySort(groupArray(eligible)) FROM prevention.eligible").Scan(&left); err != nil {
		t.Fatal(err)
	}
	if want := []uint32{2, 3, 7, 1001}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
	if got := eligible(t, conn, "flu-65"); len(got) != 2 || got[0] != "2024-25 2024-10-03 E01000001   3" {
		t.Errorf("in force are %q", got)
	}
}

// Loaders that run at the same time come out as one after the other: no look-up is lost, nothing is there twice.
func TestLoadersAtTheSameTime(t *testing.T) {
	conn := open(t)
	contents := []string{imd2019, imd2025, changes, msoas, places, systems, regions, practice}
	for i := range 4 {
		contents = append(contents, fmt.Sprintf("%sflu-65,2024-25,E01000001,,,2025-01-%02d,%d\n", header, i+1, i))
	}
	same := header + "flu-6,2024-25,E01000001,,,2024-10-03,5\n"
	contents = append(contents, same, same)
	plans := make([]*load.Plan, len(contents))
	for i, content := range contents {
		plans[i] = plan(t, files(t, content)...)
	}
	var mu sync.Mutex
	made := map[uint32]int{}
	var wg sync.WaitGroup
	for _, p := range plans {
		wg.Go(func() {
			report, err := reference.Load(context.Background(), conn, p)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			made[report.Load]++
		})
	}
	wg.Wait()
	// the one of the same two files that came later found nothing to do
	if made[0] != 1 || len(made) != len(contents) {
		t.Errorf("loads were made %v, want each number from 1 to %d once", made, len(contents)-1)
	}
	if got, want := areas(t, conn, 2025).Find("E01000021"), (area.Area{Neighbourhood: "E02000002", Place: "E06000001", System: "E54000001",
		Region: "E12000001", Quintile: 1, Rank: 6}); got != want {
		t.Errorf("E01000021 lies in %+v, want %+v", got, want)
	}
	if got := eligible(t, conn, "flu-65"); len(got) != 4 {
		t.Errorf("flu-65: %q", got)
	}
	if got := eligible(t, conn, "flu-6"); len(got) != 1 {
		t.Errorf("flu-6: %q", got)
	}
	if n := count(t, conn, "SELECT toUInt64(count() - uniqExact(kind, key, load)) FROM prevention.loads"); n != 0 {
		t.Errorf("%d lines of the loads are there twice", n)
	}
}
