package verdict

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// published reads one programme of the OpenSAFELY series: daily first doses by quintile, as they were published.
func published(t *testing.T, id string) Series {
	t.Helper()
	root := os.Getenv("GAPWATCH_REAL_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	file, err := os.Open(filepath.Join(root, "uptake", "series_opensafely_covid_dose1.csv"))
	if err != nil {
		t.Skipf("the real data are not here: %v", err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var days Series
	for _, row := range rows[1:] {
		if row[0] != id {
			continue
		}
		day, err := calendar.Parse(row[3])
		quintile, err2 := strconv.Atoi(row[4])
		covered, err3 := strconv.ParseUint(row[5], 10, 64)
		eligible, err4 := strconv.ParseUint(row[6], 10, 64)
		if err != nil || err2 != nil || err3 != nil || err4 != nil {
			t.Fatalf("row %v", row)
		}
		if n := len(days); n == 0 || days[n-1].Day != day {
			days = append(days, Day{Day: day})
		}
		d := &days[len(days)-1]
		if quintile == 0 {
			d.Unknown.Covered, d.Unknown.Eligible = covered, eligible
		} else {
			d.Quintiles[quintile-1].Covered, d.Quintiles[quintile-1].Eligible = covered, eligible
		}
	}
	return days
}

// The first COVID-19 doses of the over-80s in England, 8 December 2020 to March 2021, judged each day against 28 days
// earlier: there was no last season.
func TestRealSeries(t *testing.T) {
	c := Case{
		Kind: programme.Seasonal, Limits: programme.Limits{Floor: 100, SmallestChange: 1, UnknownArea: 5},
		Season: programme.Season{ID: "2020", Start: calendar.Date(2020, 12, 8), End: calendar.Date(2021, 8, 31)},
		Days:   published(t, "covid-dose1-80plus"),
	}
	findings := Judge(&c, c.Season.Start, calendar.Date(2021, 4, 30))
	at := func(month, day int) *Finding {
		return &findings[calendar.Date(2021, time.Month(month), day)-c.Season.Start]
	}

	// What the data say whatever the rule: the marks.
	if early, late := at(2, 10).Change, at(2, 17).Change; early <= 0.01 || late >= -0.01 {
		t.Errorf("the 28-day change of the gap is %v on 10 February and %v on 17 February", early, late)
	}

	var s State
	var got []string
	for i := range findings {
		var changed bool
		if s, changed = Step(s, &findings[i]); changed {
			got = append(got, findings[i].Day.String()+" "+string(s.Verdict())+": "+
				findings[i].Sentence(Subject{Programme: "First dose, 80 and over", Geography: "England"}))
			t.Log(got[len(got)-1])
		}
	}
	if diff := cmp.Diff([]string{
		// Day 28, the first that can be judged: from the first doses to one person in five, the gap has opened from nothing.
		"2021-01-05 widening: First dose, 80 and over in England: the gap is 2.2 points, 2.2 more than 28 days earlier (1.5 to 2.9).",
		// The gap was widest, 11.4 points, on 24 January; in mid-January it passed the 6.4 that it has come down to now.
		// The change went from +1.1 through 0 to -0.7 within three days (11 to 13 February): two days of doubt, and widening is held for three.
		"2021-02-14 narrowing: First dose, 80 and over in England: the gap is 6.4 points, 1.3 less than 28 days earlier (0.5 to 2.2).",
		// From 25 March on the gap falls by less than a point in 28 days; the verdict is held for three days.
		"2021-03-27 not enough data: First dose, 80 and over in England: the gap is 4.4 points, 0.9 less than 28 days earlier (0.6 to 1.2); not enough data for a verdict: the change is too near the 1.0 points that matter.",
		// From 2 April on the whole interval is within a point.
		"2021-04-04 steady: First dose, 80 and over in England: the gap is 4.3 points, steady: 0.7 less than 28 days earlier (0.4 to 0.9).",
	}, got); diff != "" {
		t.Error(diff)
	}
}
