package simulate_test

import (
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/load"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/simulate"
)

const smallSeries = `Quintile,programme,season,geography,day,covered,eligible
1,jab-a,one,X1,2021-10-01,30,1000
1,jab-a,one,X1,2021-10-02,30,1000
1,jab-a,one,X1,2021-10-09,330,1010
1,jab-a,one,X1,2021-12-31,400,1010
5,jab-a,one,X1,2021-10-02,0,901
5,jab-a,one,X1,2021-10-03,600,901
5,jab-a,one,X1,2021-12-30,700,905
0,jab-a,one,X1,2021-10-03,20,77
0,jab-a,one,X1,2021-11-03,60,77
3,jab-a,two,X1,2022-10-01,100,500
3,jab-a,two,X1,2022-12-01,300,500
1,jab-b,one,X1,2021-10-02,5,1000
1,jab-b,one,X2,2021-10-02,5,1000
`

func read(t *testing.T, text, programme string) *simulate.Series {
	t.Helper()
	s, err := simulate.ReadSeries(strings.NewReader(text), programme, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func replay(t *testing.T, s *simulate.Series) *simulate.History {
	t.Helper()
	h, err := simulate.Replay(simulate.ReplayConfig{Seed: 1, Series: s, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// seriesOf adds up cells to covered people by season, quintile and day, beside the eligible people of eligible.csv: for
// every day and quintile of every season, whether or not the series has it.
func seriesOf(t *testing.T, set *programme.Set, cells []simulate.Cell, a areas, dir string) iter.Seq2[simulate.SeriesRow, error] {
	t.Helper()
	type key struct {
		season   string
		quintile uint8
		day      calendar.Day
	}
	newly, eligible := map[key]int{}, map[key]int{}
	from := map[string][]calendar.Day{}
	quintiles := map[string]map[uint8]bool{}
	for _, c := range cells {
		if c.Level == simulate.LevelPCN {
			newly[key{c.Season, c.Quintile, c.Day}] += int(c.Newly)
		}
	}
	for _, r := range readTable(t, filepath.Join(dir, "eligible.csv")) {
		day, err := calendar.Parse(r["valid_from"])
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, c := range r["eligible"] {
			n = 10*n + int(c-'0')
		}
		quintile := uint8(0)
		if p, ok := a.lsoas[r["lsoa"]]; ok {
			quintile = p.quintile[0] - '0'
		}
		eligible[key{r["season"], quintile, day}] += n
		if !slices.Contains(from[r["season"]], day) {
			from[r["season"]] = append(from[r["season"]], day)
		}
		if quintiles[r["season"]] == nil {
			quintiles[r["season"]] = map[uint8]bool{}
		}
		quintiles[r["season"]][quintile] = true
	}
	return func(yield func(simulate.SeriesRow, error) bool) {
		for _, season := range set.Programmes[0].Seasons {
			for quintile := range quintiles[season.ID] {
				row := simulate.SeriesRow{Season: season.ID, Quintile: quintile}
				for row.Day = season.Start; row.Day <= season.End; row.Day++ {
					row.Covered += newly[key{season.ID, quintile, row.Day}]
					if slices.Contains(from[season.ID], row.Day) {
						row.Eligible = eligible[key{season.ID, quintile, row.Day}]
					}
					if !yield(row, nil) {
						return
					}
				}
			}
		}
	}
}

// checkReplay counts a replay's messages in the plain way and compares with the series and with the truth by cell.
func checkReplay(t *testing.T, s *simulate.Series) (events, cells int) {
	t.Helper()
	h := replay(t, s)
	dir := t.TempDir()
	if err := h.WriteReference(dir); err != nil {
		t.Fatal(err)
	}
	set, err := programme.Load(filepath.Join(dir, "programmes.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load.Check(t.Context(), []string{dir}, load.Options{Programmes: set}); err != nil {
		t.Error(err)
	}
	a := readAreas(t, dir, 2025)
	decodedEvents := decoded(t, h)
	counted := count(set, a, decodedEvents)
	byDay, err := simulate.CompareSeries(h.Series(), seriesOf(t, set, counted, a, dir))
	if err != nil {
		t.Fatal(err)
	}
	byCell, err := simulate.Compare(h.Truth(), each(counted))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []simulate.Comparison{byDay, byCell} {
		if r.Mismatches > 0 {
			t.Errorf("%d of %d differ:\n%s", r.Mismatches, r.Cells, strings.Join(r.First, "\n"))
		}
	}
	return len(decodedEvents), byDay.Cells
}

func TestReplayComesToTheSeries(t *testing.T) {
	s := read(t, smallSeries, "jab-a")
	checkReplay(t, s)
	noise := replay(t, s).Expected().Noise
	for _, kind := range []string{"repeat", "resend", "two systems", "entered again", "corrected area", "corrected person", "late", "out of order", "nothing true", "unheard-of area", "invalid: over 1 MB"} {
		if noise[kind] == 0 {
			t.Errorf("no %q: %v", kind, noise)
		}
	}
}

// A series is replayed however long ago it was published.
func TestReplayOfAnOldSeries(t *testing.T) {
	later := time.Date(2058, 12, 31, 0, 0, 0, 0, time.UTC)
	h, err := simulate.Replay(simulate.ReplayConfig{Seed: 1, Series: read(t, smallSeries, "jab-a"), Now: later})
	if err != nil {
		t.Fatal(err)
	}
	decodedAt(t, h, later)
}

func TestReplayOfRealFirstDoses(t *testing.T) {
	root := os.Getenv("GAPWATCH_REAL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	path := filepath.Join(root, "uptake", "series_opensafely_covid_dose1.csv")
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skipf("no real data at %s: set GAPWATCH_REAL_DATA", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := read(t, string(text), "covid-dose1-5-11")
	last := map[uint8]int{}
	for _, r := range s.Rows {
		last[r.Quintile] = max(last[r.Quintile], r.Covered)
	}
	if want := (map[uint8]int{0: 9688, 1: 32207, 2: 36309, 3: 43253, 4: 46270, 5: 51443}); !maps.Equal(last, want) {
		t.Errorf("first doses by quintile are %v, should be %v", last, want)
	}
	events, cells := checkReplay(t, s)
	if events < 209_482+9_688 || cells < 282*6 {
		t.Errorf("%d events, %d rows", events, cells)
	}
}

func TestReadSeriesRefuses(t *testing.T) {
	const header = "programme,season,geography,day,quintile,covered,eligible\n"
	for want, c := range map[string]struct{ text, programme string }{
		"header":              {"", ""},
		"column eligible":     {"programme,season,geography,day,quintile,covered\n", ""},
		"jab-a, jab-b":        {smallSeries, ""},
		"X1, X2":              {smallSeries, "jab-b"},
		"nothing of":          {smallSeries, "jab-c"},
		"row 2, column day":   {header + "a,b,c,1/2/2021,1,1,1\n", ""},
		"column quintile":     {header + "a,b,c,2021-01-02,6,1,1\n", ""},
		"column covered":      {header + "a,b,c,2021-01-02,5,-1,1\n", ""},
		"must not fall":       {header + "a,b,c,2021-01-02,5,7,9\na,b,c,2021-01-03,5,6,9\n", ""},
		"2021-01-02 twice":    {header + "a,b,c,2021-01-02,5,7,9\na,b,c,2021-01-02,5,7,9\n", ""},
		"wrong number of fie": {header + "a,b\n", ""},
	} {
		if _, err := simulate.ReadSeries(strings.NewReader(c.text), c.programme, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	const header = "programme,season,geography,day,quintile,covered,eligible\n"
	for want, rows := range map[string]string{
		"yesterday":  "a,b,c,2026-11-22,1,1,1\n",
		"1970-01-01": "a,b,c,1960-11-22,1,1,1\n",
		"0 people":   "a,b,c,2021-11-22,1,0,1\n",
		"a.id":       "a b,b,c,2021-11-22,1,1,1\n",
		"seasons[1]": "a,b,c,2021-11-22,1,1,1\na,b,c,2021-12-22,1,1,1\na,d,c,2021-12-01,1,1,1\n",
	} {
		_, err := simulate.Replay(simulate.ReplayConfig{Series: read(t, header+rows, ""), Now: now})
		if want == "a.id" && err != nil && strings.Contains(err.Error(), "id") {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestCompareSeriesFindsDifferences(t *testing.T) {
	s := read(t, smallSeries, "jab-a")
	compare := func(rows []simulate.SeriesRow) simulate.Comparison {
		t.Helper()
		r, err := simulate.CompareSeries(s, func(yield func(simulate.SeriesRow, error) bool) {
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := compare(s.Rows); r.Mismatches != 0 || r.Cells != len(s.Rows) {
		t.Errorf("the same: %+v", r)
	}
	if r := compare(s.Rows[1:]); r.Mismatches != 1 {
		t.Errorf("one missing: %+v", r)
	}
	changed := slices.Clone(s.Rows)
	changed[2].Covered++
	if r := compare(changed); r.Mismatches != 1 {
		t.Errorf("one changed: %+v", r)
	}
	changed = slices.Clone(s.Rows)
	changed[2].Eligible++
	if r := compare(changed); r.Mismatches != 1 {
		t.Errorf("one other eligible: %+v", r)
	}
	between := s.Rows[0]
	between.Day = calendar.Date(2021, 10, 20)
	between.Covered, between.Eligible, between.Quintile, between.Season = 330, 1010, 1, "one"
	if r := compare(append(slices.Clone(s.Rows), between)); r.Mismatches != 0 {
		t.Errorf("a day between: %+v", r)
	}
	between.Covered = 331
	if r := compare(append(slices.Clone(s.Rows), between)); r.Mismatches != 1 {
		t.Errorf("a wrong day between: %+v", r)
	}
}
