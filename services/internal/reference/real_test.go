package reference_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/load"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

// realData is a folder of the real data, which tests read in place.
func realData(t testing.TB, folder string) string {
	t.Helper()
	root := os.Getenv("GAPWATCH_REAL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	path := filepath.Join(root, folder)
	if _, err := os.Stat(path); os.IsNotExist(err) {
		t.Skipf("no real data at %s: set GAPWATCH_REAL_DATA", path)
	}
	return path
}

// raw reads a file row by row, by column name, by means that the loader has no part in.
func raw(t testing.TB, path string, each func(cell func(column string) string)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, h := range rows[0] {
		at[h] = i
	}
	for _, r := range rows[1:] {
		each(func(column string) string { return r[at[column]] })
	}
}

// The published look-ups and the population of England go through ClickHouse and come out as they went in: what is stored
// is what was resolved, and the people aged 65 and over of one ICB are those of its LSOAs in another ONS look-up.
func TestRealLookupsAndPopulation(t *testing.T) {
	dir := realData(t, "imd")
	conn := open(t)
	programmes, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}

	const icb = "E54000008" // Cheshire and Merseyside
	inICB := map[string]bool{}
	raw(t, filepath.Join(dir, "lookup_lsoa11_sicbl22_icb22_ltla22.csv"), func(cell func(string) string) {
		inICB[cell("lsoa11_code")] = cell("icb22_code") == icb
	})
	var b strings.Builder
	b.WriteString("programme,season,lsoa,practice,ethnicity,valid_from,eligible\n")
	var want, england uint64
	raw(t, filepath.Join(dir, "population_mid2020_lsoa11_ageband.csv"), func(cell func(string) string) {
		people := 0
		for _, band := range []string{"age_65_69", "age_70_74", "age_75_79", "age_80plus"} {
			n, err := strconv.Atoi(cell(band))
			if err != nil {
				t.Fatal(err)
			}
			people += n
		}
		fmt.Fprintf(&b, "flu-65,2024-25,%s,,,2024-10-03,%d\n", cell("lsoa11_code"), people)
		england += uint64(people)
		if inICB[cell("lsoa11_code")] {
			want += uint64(people)
		}
	})

	checked, err := load.Check(t.Context(), []string{dir, files(t, b.String())[0]}, load.Options{Programmes: programmes})
	if err != nil {
		t.Fatal(err)
	}
	report, err := reference.Load(t.Context(), conn, checked)
	if err != nil {
		t.Fatal(err)
	}
	if a := report.Areas; a.Codes != 36_778 || a.Outside != 1_989 || a.NoPlace != 3 || a.NoSystem != 0 || a.NoRegion != 0 || a.NoQuintile2025 != 524 {
		t.Errorf("areas are %+v", *a)
	}

	relations := map[string]*load.Relation{}
	for _, f := range checked.Files {
		if f.Lookups == nil {
			continue
		}
		for _, r := range f.Lookups.Relations {
			relations[r.Name] = r
		}
	}
	resolved := area.Resolve(load.Raw(relations))
	for _, edition := range []int{2019, 2025} {
		ix := areas(t, conn, edition)
		for _, r := range resolved {
			if got := ix.Find(r.LSOA); got != r.Area(edition) {
				t.Fatalf("%d: %s is stored as %+v, resolved as %+v", edition, r.LSOA, got, r.Area(edition))
			}
		}
	}

	ix := areas(t, conn, programmes.Edition)
	var got, all, inQuintiles uint64
	err = reference.Eligible(t.Context(), conn, "flu-65", func(r reference.EligibleRow) error {
		a := ix.Find(r.LSOA)
		all += uint64(r.Eligible)
		if a.System == icb {
			got += uint64(r.Eligible)
			if a.Quintile > 0 {
				inQuintiles += uint64(r.Eligible)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got != want || all != england {
		t.Errorf("%d people in %s and %d in all, want %d and %d", got, icb, all, want, england)
	}
	if want != 502_510 || inQuintiles >= got || inQuintiles < got*96/100 {
		t.Errorf("%d people aged 65 and over, %d of them in a quintile", want, inQuintiles)
	}
	names, err := reference.Names(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for code, name := range map[string]string{icb: "NHS Cheshire and Merseyside Integrated Care Board", "E06000001": "Hartlepool",
		"E12000001": "North East", "E02002491": "Hartlepool 009", "E06000019": "Herefordshire, County of", "W06000001": "Isle of Anglesey"} {
		if names[code] != name {
			t.Errorf("%s is called %q, want %q", code, names[code], name)
		}
	}
	flu, _ := programmes.Get("flu-65")
	eventsOfRealLSOAs(t, conn, flu)
}

// An event of a real LSOA, of either year, counts in the neighbourhood, place, ICB and quintile of its people. What is wanted
// was worked by hand from the raw files; all of it lies in the ICB North East and North Cumbria.
func eventsOfRealLSOAs(t *testing.T, conn driver.Conn, flu *programme.Programme) {
	t.Helper()
	cell := func(neighbourhood, place string, quintile uint8) rollup.Cell {
		return rollup.Cell{Season: "2024-25", Day: calendar.Date(2024, 11, 1), Level: rollup.Neighbourhood, Code: neighbourhood, Place: place,
			System: "E54000050", Quintile: quintile}
	}
	type lives struct {
		lsoa string
		in   rollup.Cell
	}
	people := []lives{
		{"E01011949", cell("E02002491", "E06000001", 1)}, // of both years
		{"E01033468", cell("E02002496", "E06000002", 1)}, // 2011: split, parts alike
		{"E01012266", cell("E02002548", "E06000004", 0)}, // 2011: split into deciles 1 and 4
		{"E01035198", cell("E02002548", "E06000004", 2)}, // 2021: its part of decile 4
		{"E01011973", cell("E02002487", "E06000001", 1)}, // 2011: merged
		{"E01035188", cell("E02002487", "E06000001", 1)}, // 2021: what it merged into
		{"E01008187", cell("", "", 0)},                   // 2011: split over the border of two places
		{"E01035637", cell("", "E06000057", 3)},          // 2021: what part of it became
	}
	flu.Retention = 0 // the season's people are asked for, however long ago it is by now
	set := programme.NewSet(2025, flu)
	nats := streamtest.New(t)
	_, js := nats.Ensure(stream.Options{})
	collector, err := collect.New(collect.Config{JetStream: js, ClickHouse: conn, Programmes: set, MaxAge: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- collector.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	want := map[rollup.Cell]rollup.Counts{}
	for i, p := range people {
		e := event.Event{ID: strconv.Itoa(i), Source: "urn:test:real", Type: flu.EventType, Time: p.in.Day.Time().Add(12 * time.Hour), Record: strconv.Itoa(i),
			Status: event.Completed, Person: event.Pseudonym{1, byte(i)}, PersonKey: "k1", Programme: flu.ID, Day: p.in.Day, LSOA: p.lsoa}
		if _, err := stream.Publish(t.Context(), js, stream.Message(event.Subject(&e), event.MsgID(&e), event.Encode(&e))); err != nil {
			t.Fatal(err)
		}
		n := want[p.in]
		n.Newly++
		want[p.in] = n
	}
	aggregator, err := rollup.New(rollup.Config{ClickHouse: conn, Programmes: set})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(2 * time.Minute)
	for upTo := uint64(0); upTo < uint64(len(people)); {
		result, err := aggregator.Tick(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if upTo = result.At.Sequence; time.Now().After(deadline) {
			t.Fatalf("counted up to %d of %d", upTo, len(people))
		}
	}
	got := map[rollup.Cell]rollup.Counts{}
	if err := rollup.ReadCells(t.Context(), conn, flu.ID, func(c rollup.Cell, n rollup.Counts) error {
		if c.Level == rollup.Neighbourhood {
			got[c] = n
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of %d people (-want +got):\n%s", len(people), diff)
	}
}

// The published series is taken whole, and the same again is none.
func TestRealPublishedSeries(t *testing.T) {
	path := filepath.Join(realData(t, "uptake"), "series_opensafely_covid_dose1.csv")
	conn := open(t)
	for i, want := range []uint32{1, 0} {
		report, err := reference.Load(t.Context(), conn, plan(t, path))
		if err != nil {
			t.Fatal(err)
		}
		if report.Load != want || report.Files[0].File.Rows != 37_914 {
			t.Errorf("%d: load %d of %d rows, want %d of 37,914", i, report.Load, report.Files[0].File.Rows, want)
		}
	}
	if n := count(t, conn, "SELECT max(covered) FROM prevention.history WHERE programme = 'covid-dose1-5-11' AND quintile = 5"); n == 0 {
		t.Error("no covered people of quintile 5")
	}
}
