package trajectory_test

import (
	"encoding/csv"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/trajectory"
)

// groups are the OpenSAFELY series of first doses by group. Days without change are left out of the file, also of single
// quintiles: each goes on as it was.
func groups(t testing.TB) map[string][]trajectory.Day {
	t.Helper()
	root := os.Getenv("GAPWATCH_REAL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	path := filepath.Join(root, "uptake", "series_opensafely_covid_dose1.csv")
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		t.Skipf("no real data at %s: set GAPWATCH_REAL_DATA", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	byDay := map[string]map[calendar.Day]*[6]inequality.Count{}
	eligible := map[string]*[6]uint64{}
	for _, row := range rows[1:] { // programme, season, geography, day, quintile, covered, eligible
		day, err := calendar.Parse(row[3])
		q, err1 := strconv.Atoi(row[4])
		covered, err2 := strconv.ParseUint(row[5], 10, 64)
		of, err3 := strconv.ParseUint(row[6], 10, 64)
		if err != nil || err1 != nil || err2 != nil || err3 != nil || q > 5 {
			t.Fatalf("row %v", row)
		}
		if byDay[row[0]] == nil {
			byDay[row[0]], eligible[row[0]] = map[calendar.Day]*[6]inequality.Count{}, new([6]uint64)
		}
		if byDay[row[0]][day] == nil {
			byDay[row[0]][day] = new([6]inequality.Count)
		}
		byDay[row[0]][day][q] = inequality.Count{Covered: covered, Eligible: of}
		eligible[row[0]][q] = of
	}
	all := map[string][]trajectory.Day{}
	for group, days := range byDay {
		var now inequality.Quintiles
		for q := range now {
			now[q].Eligible = eligible[group][q+1]
		}
		for _, day := range slices.Sorted(maps.Keys(days)) {
			for q := range now {
				now[q].Covered = max(now[q].Covered, days[day][q+1].Covered)
			}
			all[group] = append(all[group], trajectory.Day{Day: day, Quintiles: now})
		}
	}
	return all
}

// at is the counts at the end of a day.
func at(days []trajectory.Day, day calendar.Day) inequality.Quintiles {
	i, found := slices.BinarySearchFunc(days, day, func(d trajectory.Day, day calendar.Day) int { return int(d.Day - day) })
	if !found {
		i--
	}
	return days[i].Quintiles
}

func uptake(c inequality.Count) float64 { return float64(c.Covered) / float64(c.Eligible) }

// Each week from the fourth on, each group and quintile is projected with what was known then.
func TestFourWeeksAheadOnRealGroups(t *testing.T) {
	type score struct{ n, error, naive, inside, width float64 }
	var total [27]score
	all := groups(t)
	for _, group := range slices.Sorted(maps.Keys(all)) {
		days := all[group]
		season := trajectory.Season{Start: days[0].Day, End: days[len(days)-1].Day, Days: days}
		var of score
		for day := season.Start + 28; day < season.End; day += 7 {
			known := season
			known.Days = slices.Clone(days)
			known.Days = slices.DeleteFunc(known.Days, func(d trajectory.Day) bool { return d.Day > day })
			for q, p := range trajectory.Project(day, known, nil, 0.75, 100) {
				if p.NotComputed != "" || p.Method != trajectory.DecayingPace {
					t.Fatalf("%s on %v, quintile %d: %+v", group, day, q+1, p)
				}
				for _, weeks := range []int{1, 4, 12, 26} {
					then := day + calendar.Day(7*weeks)
					if then > season.End {
						continue
					}
					e, is := p.On(then), uptake(at(days, then)[q])
					if e.Low < p.Uptake || e.Uptake < e.Low || e.High < e.Uptake || e.High > 1 {
						t.Fatalf("%s on %v, quintile %d, %d weeks: %+v from %f", group, day, q+1, weeks, e, p.Uptake)
					}
					s := score{n: 1, error: math.Abs(e.Uptake - is), width: e.High - e.Low}
					// Last week's pace goes on, up to everybody.
					pace := p.Uptake - uptake(at(days, day-7)[q])
					s.naive = math.Abs(min(1, p.Uptake+float64(weeks)*pace) - is)
					if e.Low <= is && is <= e.High {
						s.inside = 1
					}
					for _, to := range []*score{&total[weeks], &of} {
						if to == &of && weeks != 4 {
							continue
						}
						to.n, to.error, to.naive, to.inside, to.width = to.n+1, to.error+s.error, to.naive+s.naive, to.inside+s.inside, to.width+s.width
					}
				}
			}
		}
		t.Logf("%-22s 4 weeks ahead: mean absolute error %.2f points, last week's pace %.2f", group, 100*of.error/of.n, 100*of.naive/of.n)
	}
	for weeks, s := range total {
		if s.n == 0 {
			continue
		}
		t.Logf("%2d weeks ahead, %.0f projections: mean absolute error %.2f points, last week's pace %.2f; %.1f %% inside the interval, mean width %.1f points",
			weeks, s.n, 100*s.error/s.n, 100*s.naive/s.n, 100*s.inside/s.n, 100*s.width/s.n)
		if s.error >= 0.95*s.naive && weeks <= 12 || s.error >= s.naive {
			t.Errorf("%d weeks ahead: error %.3f, last week's pace %.3f", weeks, s.error/s.n, s.naive/s.n)
		}
		if inside := s.inside / s.n; inside < 0.91 || inside > 0.97 {
			t.Errorf("%d weeks ahead: %.3f are inside the interval", weeks, inside)
		}
	}
}
