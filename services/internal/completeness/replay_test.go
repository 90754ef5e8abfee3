package completeness_test

import (
	"encoding/csv"
	"fmt"
	"iter"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/completeness"
	"gapwatch/services/internal/inequality"
)

// published is one release of one group of the OpenSAFELY reporting triangle: completeness.Release with its denominators.
type published struct {
	completeness.Release
	Eligible map[calendar.Day][6]uint64
}

// on is what the release says of a day, see [published.counts], unknown quintile left out.
func (r published) on(day calendar.Day) (inequality.Quintiles, bool) {
	counts, ok := r.counts(day)
	return inequality.Quintiles(counts[1:]), ok
}

// counts is what the release says of a day, index 0 is unknown quintile: between two of its days on the straight line,
// after its last day as on that day. It is false before its first day.
func (r published) counts(day calendar.Day) (counts [6]inequality.Count, ok bool) {
	before, after := calendar.Day(math.MinInt32), calendar.Far
	for d := range r.Covered {
		if d <= day {
			before = max(before, d)
		}
		if d >= day {
			after = min(after, d)
		}
	}
	if before < 0 {
		return counts, false
	}
	if after == calendar.Far {
		after = before
	}
	part := 0.0
	if after > before {
		part = float64(day-before) / float64(after-before)
	}
	for i := range counts {
		low, high := float64(r.Covered[before][i]), float64(r.Covered[after][i])
		counts[i] = inequality.Count{Covered: uint64(math.Round(low + part*(high-low))), Eligible: r.Eligible[before][i]}
	}
	return counts, true
}

// triangle is the releases by group, in order of publication.
func triangle(t testing.TB) map[string][]published {
	t.Helper()
	root := os.Getenv("GAPWATCH_REAL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	path := filepath.Join(root, "uptake", "opensafely_covid_dose1_reporting_triangle_weekly.csv")
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
	day := func(s string) calendar.Day {
		d, err := calendar.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	count := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	releases := map[string]map[calendar.Day]published{}
	for _, row := range rows[1:] { // release_commit, release_commit_date, data_cutoff, group, covid_vacc_date, imd_quintile, cumulative_vaccinated, eligible
		group, known, d := row[3], day(row[1]), day(row[4])
		if releases[group] == nil {
			releases[group] = map[calendar.Day]published{}
		}
		r, ok := releases[group][known]
		if !ok {
			r = published{completeness.Release{Known: known, Through: day(row[2]), Covered: map[calendar.Day][6]uint64{}}, map[calendar.Day][6]uint64{}}
			releases[group][known] = r
		}
		q := 0
		if row[5] != "Unknown" {
			q = int(count(row[5]))
		}
		covered, eligible := r.Covered[d], r.Eligible[d]
		covered[q], eligible[q] = count(row[6]), count(row[7])
		r.Covered[d], r.Eligible[d] = covered, eligible
	}
	sorted := map[string][]published{}
	for group, byDay := range releases {
		sorted[group] = slices.SortedFunc(maps.Values(byDay), func(a, b published) int { return int(a.Known - b.Known) })
	}
	return sorted
}

// redefined are the releases in which the study changed who belongs to a group (the eligible of 65 to 69 in quintile 1 go
// from 151,858 to 155,036 and then to 161,252, and all days back to the first one change). Counts under two definitions
// have no common triangle.
var redefined = []string{"2021-11-30", "2022-06-29"}

// editions cuts the releases of each group where the groups were redefined.
func editions(t testing.TB, releases map[string][]published) map[string][][]published {
	t.Helper()
	cut := map[string][][]published{}
	for group, all := range releases {
		for _, s := range redefined {
			d, err := calendar.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for n < len(all) && all[n].Known < d {
				n++
			}
			if n > 0 {
				cut[group] = append(cut[group], all[:n])
			}
			all = all[n:]
		}
		if len(all) > 0 {
			cut[group] = append(cut[group], all)
		}
	}
	return cut
}

// moment is what a reader knew on the day of one release.
type moment struct {
	Group    string
	Known    published        // the newest release
	Later    published        // the first release of the same edition at least eight weeks later, or its last one
	Final    published        // the last release of the same edition
	Lag      completeness.Lag // learnt from this release and those before it, of the same edition
	Complete calendar.Day     // the last complete day of Known
}

// replay goes through the releases and learns the lag as it would have been learnt then.
func replay(releases map[string][][]published) iter.Seq[moment] {
	return func(yield func(moment) bool) {
		for _, group := range slices.Sorted(maps.Keys(releases)) {
			for _, edition := range releases[group] {
				var seen []completeness.Release
				for i, r := range edition {
					seen = append(seen, r.Release)
					later := i
					for later+1 < len(edition) && edition[later].Known < r.Known+56 {
						later++
					}
					lag := completeness.Learn(r.Known, completeness.FromReleases(seen))
					if !yield(moment{group, r, edition[later], edition[len(edition)-1], lag, min(lag.LastComplete(r.Known), r.Through)}) {
						return
					}
				}
			}
		}
	}
}

func share(c inequality.Count) float64 { return float64(c.Covered) / float64(c.Eligible) }

// change is the change of the absolute gap over the 28 days up to day, in points.
func change(r published, day calendar.Day) (points float64, ok bool) {
	now, ok1 := r.on(day)
	before, ok2 := r.on(day - 28)
	gap := func(q inequality.Quintiles) float64 { return share(q[4]) - share(q[0]) }
	return 100 * (gap(now) - gap(before)), ok1 && ok2
}

// On complete days the change of the gap as it was known on the day of a release is what it still was eight weeks later, and
// reading the newest figures as if they were today's is not. (What the verdict makes of both is tested with the verdict.)
func TestReplayOfRealReleases(t *testing.T) {
	var complete, provisional, completeRollOut, provisionalRollOut errors
	lags := map[int]int{}
	for m := range replay(editions(t, triangle(t))) {
		then, ok := change(m.Known, m.Complete)
		if !ok || m.Later.Known < m.Known.Known+28 {
			continue // nothing 28 days before, or too few releases after it to compare with
		}
		lags[m.Lag.Days]++
		today := m.Known.Known
		later, _ := change(m.Later, m.Complete)
		thenToday, _ := change(m.Known, today)
		laterToday, _ := change(m.Later, today)
		complete.add(then - later)
		provisional.add(thenToday - laterToday)
		// Only while many people become covered does it matter which day is complete.
		before, _ := m.Later.on(today - 28)
		if after, _ := m.Later.on(today); share(after[2])-share(before[2]) > 0.05 {
			completeRollOut.add(then - later)
			provisionalRollOut.add(thenToday - laterToday)
			t.Logf("%-5s release %v, lag %2d (%s): complete %v, 28-day change of the gap %+6.2f then, %+6.2f later; today %+6.2f then, %+6.2f later",
				m.Group, today, m.Lag.Days, m.Lag.Basis, m.Complete, then, later, thenToday, laterToday)
		}
	}
	t.Logf("all: complete days %v, today %v", complete, provisional)
	t.Logf("during the roll-out: complete days %v, today %v", completeRollOut, provisionalRollOut)
	t.Logf("releases by lag: %v", lags)
	if complete.n < 150 || completeRollOut.n < 15 {
		t.Errorf("only %d releases, %d during the roll-out", complete.n, completeRollOut.n)
	}
	if complete.mean() > 0.03 || complete.worst > 0.6 {
		t.Errorf("complete days: %v", complete)
	}
	if completeRollOut.mean() > 0.2 {
		t.Errorf("complete days during the roll-out: %v", completeRollOut)
	}
	if provisional.mean() < 4*complete.mean() || provisionalRollOut.mean() < 4*completeRollOut.mean() {
		t.Errorf("provisional days are as good as complete ones: %v, %v", provisional, provisionalRollOut)
	}
}

// errors are differences in points, without their sign.
type errors struct {
	n          int
	sum, worst float64
}

func (e *errors) add(points float64) {
	e.n++
	e.sum += math.Abs(points)
	e.worst = max(e.worst, math.Abs(points))
}

func (e errors) mean() float64 { return e.sum / float64(e.n) }

func (e errors) String() string {
	return fmt.Sprintf("off by %.3f points on average, %.2f at worst, in %d releases", e.mean(), e.worst, e.n)
}
