package trajectory_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/trajectory"
)

const start calendar.Day = 20_000

// season is a season of the given number of days whose five quintiles all have the covered people of each day, by days since the
// start, and 10,000 eligible.
func season(days int, covered map[int]uint64) trajectory.Season {
	s := trajectory.Season{Start: start, End: start + calendar.Day(days-1)}
	for d := range days {
		if n, ok := covered[d]; ok {
			day := trajectory.Day{Day: start + calendar.Day(d)}
			for q := range day.Quintiles {
				day.Quintiles[q] = inequality.Count{Covered: n, Eligible: 10_000}
			}
			s.Days = append(s.Days, day)
		}
	}
	return s
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// Last season half of those not yet covered after 30 days were covered by the end: 20 % and 60 %.
func TestLastSeasonsShape(t *testing.T) {
	last := season(101, map[int]uint64{0: 0, 30: 2000, 50: 5000, 90: 6000})
	last.Start, last.End = last.Start-365, last.End-365
	for i := range last.Days {
		last.Days[i].Day -= 365
	}
	this := season(101, map[int]uint64{0: 0, 28: 3000, 31: 9000}) // day 31 lies ahead
	for q, p := range trajectory.Project(start+30, this, &last, 0.60, 100) {
		if p.NotComputed != "" || p.Method != trajectory.LastSeason || !near(p.Uptake, 0.30) || !near(p.End.Uptake, 0.65) {
			t.Errorf("quintile %d: %+v, should be 30 %% and 65 %%", q+1, p)
		}
		if e := p.On(start + 50); !near(e.Uptake, 1-0.7*5/8) { // 50 of 80 were left
			t.Errorf("after 50 days %+v", e)
		}
		if e := p.On(start + 89); !near(e.Uptake, 1-0.7*5/8) {
			t.Errorf("after 89 days %+v", e)
		}
		if e := p.On(start + 20); e != (trajectory.Estimate{Uptake: p.Uptake, Low: p.Uptake, High: p.Uptake}) {
			t.Errorf("before the last complete day %+v", e)
		}
		if p.Status != trajectory.Expected || p.Date != start+90 || p.Earliest != start+50 || p.Latest != calendar.Far {
			t.Errorf("60 %% is expected on %v, by the limits on %v and %v, %s", p.Date, p.Earliest, p.Latest, p.Status)
		}
		if !near(p.WeeklyPaceNeeded, 0.03) || p.PeopleNeeded != 300 { // 30 points in 10 weeks
			t.Errorf("needs %f, %d people", p.WeeklyPaceNeeded, p.PeopleNeeded)
		}
		if p.End.Low <= 0.3 || p.End.Low >= 0.65 || p.End.High <= 0.65 || p.End.High >= 1 {
			t.Errorf("interval %+v", p.End)
		}
	}
	// A longer season than the last: nobody came after its end.
	this.End += 50
	if p := trajectory.Project(start+30, this, &last, 0.6, 100)[0]; !near(p.End.Uptake, 0.65) {
		t.Errorf("a longer season: %+v", p.End)
	}
}

func TestTarget(t *testing.T) {
	last := season(101, map[int]uint64{0: 0, 30: 2000, 90: 6000})
	project := func(covered map[int]uint64, asOf int, target float64) trajectory.Projection {
		return trajectory.Project(start+calendar.Day(asOf), season(101, covered), &last, target, 100)[2]
	}
	p := project(map[int]uint64{0: 0, 20: 1000, 25: 3000}, 30, 0.3)
	if p.Status != trajectory.Reached || p.Date != start+25 || p.Earliest != p.Date || p.Latest != p.Date || p.WeeklyPaceNeeded != 0 || p.PeopleNeeded != 0 {
		t.Errorf("reached: %+v", p)
	}
	p = project(map[int]uint64{0: 0, 20: 3000, 25: 2999}, 30, 0.3)
	if p.Status != trajectory.Expected || p.Date != start+90 || p.PeopleNeeded != 1 {
		t.Errorf("reached and lost: %+v", p)
	}
	p = project(map[int]uint64{0: 0, 30: 3000}, 30, 0.9)
	if p.Status != trajectory.Unlikely || p.Date != calendar.Far || p.Latest != calendar.Far || p.PeopleNeeded != 600 {
		t.Errorf("out of reach: %+v", p)
	}
	p = project(map[int]uint64{0: 0, 30: 3000}, 30, 0.66)
	if p.Status != trajectory.Unlikely || p.Date != calendar.Far || p.Earliest != start+90 {
		t.Errorf("just out of reach: %+v", p)
	}
	p = project(map[int]uint64{0: 0, 30: 3000}, 200, 0.66) // the season is over
	if p.Status != trajectory.Unlikely || p.End != (trajectory.Estimate{Uptake: 0.3, Low: 0.3, High: 0.3}) || !near(p.WeeklyPaceNeeded, 0.36) {
		t.Errorf("over: %+v", p)
	}
	p = project(map[int]uint64{0: 0, 30: 3001}, 98, 0.31) // two days left: no slower than by the end of a week
	if !near(p.WeeklyPaceNeeded, 0.0099) || p.PeopleNeeded != 99 {
		t.Errorf("two days left: %+v", p)
	}
	p = project(map[int]uint64{0: 0, 30: 10_000}, 40, 1)
	if p.Status != trajectory.Reached || p.End != (trajectory.Estimate{Uptake: 1, Low: 1, High: 1}) {
		t.Errorf("everybody: %+v", p)
	}
}

// By hand: the hazard of both weeks is the same, so it changes by 0.9^0.3, 0.9^0.51, ... a week.
func TestDecayingPace(t *testing.T) {
	this := season(101, map[int]uint64{0: 0, 7: 0, 14: 2000, 21: 3600})
	p := trajectory.Project(start+21, this, nil, 0.9, 100)[1]
	weekly, h := math.Log(1/0.8), 0.0
	for _, power := range []float64{0.3, 0.51, 0.657} {
		weekly *= math.Pow(0.9, power)
		h += weekly
	}
	if e := p.On(start + 42); p.Method != trajectory.DecayingPace || !near(p.Uptake, 0.36) || !near(e.Uptake, 1-0.64*math.Exp(-h)) {
		t.Errorf("%+v, %+v should be %f", p, e, 1-0.64*math.Exp(-h))
	}
	// The pace is growing by a half: 0.7 of that goes on.
	this = season(101, map[int]uint64{0: 0, 7: 0, 14: 1000, 21: 2350})
	p = trajectory.Project(start+21, this, nil, 0.9, 100)[1]
	b := math.Log(1.5) * 5000 / 5020 // 5 quintiles of 1,000
	h = -math.Log(1-1350.0/9000) * math.Exp(0.7*b) * math.Pow(0.9, 0.3) * 3 / 7
	if e := p.On(start + 24); !near(e.Uptake, 1-0.765*math.Exp(-h)) {
		t.Errorf("three days ahead %+v should be %f", e, 1-0.765*math.Exp(-h))
	}
	// Nobody comes any more: four weeks decide.
	this = season(101, map[int]uint64{0: 0, 7: 0, 14: 2000})
	if p := trajectory.Project(start+42, this, nil, 0.9, 100)[0]; !near(p.End.Uptake, 0.2) || p.Status != trajectory.Unlikely {
		t.Errorf("nobody: %+v", p)
	}
	// People are taken out again: that is no pace.
	this = season(101, map[int]uint64{0: 2000, 21: 1000})
	if p := trajectory.Project(start+21, this, nil, 0.9, 100)[0]; p.End != (trajectory.Estimate{Uptake: 0.1, Low: 0.1, High: 0.1}) {
		t.Errorf("taken out: %+v", p.End)
	}
	// Few people: the pace is that of four weeks, one a week.
	this = season(101, map[int]uint64{0: 0, 14: 2000, 21: 2000, 28: 2000, 35: 2000, 42: 2004})
	if p := trajectory.Project(start+42, this, nil, 0.9, 100)[0]; p.End.Uptake > 0.2012 {
		t.Errorf("four in four weeks: %+v", p.End)
	}
}

func TestNotComputed(t *testing.T) {
	covered := map[int]uint64{0: 0, 7: 100, 14: 200, 21: 300}
	this := season(101, covered)
	this.Days[3].Quintiles[1].Eligible = 99
	this.Days[3].Quintiles[2].Covered = 10_001
	got := trajectory.Project(start+21, this, nil, 0.9, 100)
	want := [5]trajectory.Reason{"", trajectory.TooFewEligible, trajectory.CoveredOverEligible, "", ""}
	for q := range got {
		if got[q].NotComputed != want[q] {
			t.Errorf("quintile %d: %q, should be %q", q+1, got[q].NotComputed, want[q])
		}
		if want[q] != "" && (!reflect.DeepEqual(got[q], trajectory.Projection{NotComputed: want[q]}) || got[q].On(start+50) != (trajectory.Estimate{})) {
			t.Errorf("quintile %d has figures: %+v", q+1, got[q])
		}
	}
	this = season(101, covered)
	all := func(name string, asOf int, s trajectory.Season, last *trajectory.Season, reason trajectory.Reason, method trajectory.Method) {
		t.Helper()
		for q, p := range trajectory.Project(start+calendar.Day(asOf), s, last, 0.9, 100) {
			if p.NotComputed != reason || p.Method != method {
				t.Errorf("%s, quintile %d: %q, %q", name, q+1, p.NotComputed, p.Method)
			}
		}
	}
	long := this
	long.End = calendar.Far
	last := season(101, map[int]uint64{0: 0, 30: 5000})
	all("no end", 21, long, nil, trajectory.NoSeasonEnd, "")
	all("before the start", -1, this, nil, trajectory.NoDays, "")
	all("no days", 21, season(101, nil), nil, trajectory.NoDays, "")
	all("no days yet", 21, season(101, map[int]uint64{22: 5}), nil, trajectory.NoDays, "")
	all("13 days", 13, this, nil, trajectory.TooEarly, "")
	all("14 days", 14, this, nil, "", trajectory.DecayingPace)
	all("first day, with a last season", 0, this, &last, "", trajectory.LastSeason)
	// A last season that cannot give the shape.
	none := season(101, nil)
	all("last season empty", 21, this, &none, "", trajectory.DecayingPace)
	nobody := season(101, map[int]uint64{0: 0, 50: 0})
	all("nobody last season", 21, this, &nobody, "", trajectory.DecayingPace)
	short := season(20, map[int]uint64{0: 0, 10: 5000})
	all("last season shorter", 21, this, &short, "", trajectory.DecayingPace)
	over := season(101, map[int]uint64{0: 0, 30: 10_001})
	all("last season over", 21, this, &over, "", trajectory.DecayingPace)
	full := season(101, map[int]uint64{0: 0, 20: 10_000})
	all("last season full", 21, this, &full, "", trajectory.DecayingPace)
}

// Seasons like the last one, up to 15 % (standard deviation) of level and 20 % a week: how often the interval holds the end.
func TestIntervalOfLastSeasonsShape(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	draw := func(level, weekly float64, eligible uint64) trajectory.Season {
		s := trajectory.Season{Start: start, End: start + 181}
		var now inequality.Quintiles
		var noise float64
		levels := [5]float64{}
		for q := range levels {
			levels[q] = 0.35 * float64(3+q) / 5 * math.Exp(level*rng.NormFloat64())
			now[q].Eligible = eligible
		}
		for d := range 182 {
			if d%7 == 0 {
				noise = math.Exp(weekly * rng.NormFloat64())
			}
			x := float64(d-35) / 21
			for q := range now {
				h := levels[q] / 7 * math.Exp(-x*x/2) * noise
				for range now[q].Eligible - now[q].Covered {
					if rng.Float64() < 1-math.Exp(-h) {
						now[q].Covered++
					}
				}
			}
			s.Days = append(s.Days, trajectory.Day{Day: start + calendar.Day(d), Quintiles: now})
		}
		return s
	}
	var n, inside [2]float64
	for range 300 {
		last, this := draw(0, 0.2, 1000), draw(0.15, 0.2, 1000)
		for i, asOf := range []int{21, 56} {
			for q, p := range trajectory.Project(start+calendar.Day(asOf), this, &last, 0.75, 100) {
				n[i]++
				if is := uptake(this.Days[181].Quintiles[q]); p.End.Low <= is && is <= p.End.High {
					inside[i]++
				}
			}
		}
	}
	t.Logf("%.3f after 3 weeks, %.3f after 8", inside[0]/n[0], inside[1]/n[1])
	for i := range n {
		if part := inside[i] / n[i]; part < 0.93 || part > 0.995 {
			t.Errorf("%.3f of %.0f ends are inside their interval", part, n[i])
		}
	}
}

// Whatever the counts are, the figures are in order, never above 100 % and never below what is covered.
func TestProjectionsAreInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		random := func() trajectory.Season {
			s := trajectory.Season{Start: start, End: start + calendar.Day(60+rng.IntN(120))}
			eligible := uint64(math.Exp(5 + 6*rng.Float64()))
			var now inequality.Quintiles
			for day := s.Start; day <= s.End; day += calendar.Day(1 + rng.IntN(9)) {
				for q := range now {
					now[q].Eligible = eligible
					now[q].Covered += uint64(float64(eligible-now[q].Covered) * math.Pow(rng.Float64(), 8))
				}
				s.Days = append(s.Days, trajectory.Day{Day: day, Quintiles: now})
			}
			return s
		}
		this, last := random(), random()
		for _, before := range []*trajectory.Season{nil, &last} {
			asOf := start + calendar.Day(14+rng.IntN(50))
			for q, p := range trajectory.Project(asOf, this, before, rng.Float64(), 1) {
				if p.NotComputed != "" {
					t.Fatalf("%+v", p)
				}
				e := trajectory.Estimate{Uptake: p.Uptake, Low: p.Uptake, High: p.Uptake}
				for day := asOf; day <= this.End; day++ {
					next := p.On(day)
					if !(next.Low >= e.Low && next.Uptake >= e.Uptake && next.High >= e.High && next.Low <= next.Uptake && next.Uptake <= next.High && next.High <= 1) {
						t.Fatalf("quintile %d, %v: %+v after %+v", q+1, day, next, e)
					}
					e = next
				}
				if e != p.End || p.Earliest > p.Date || p.Date > p.Latest || (p.Status == trajectory.Unlikely) != (p.Date == calendar.Far) || p.WeeklyPaceNeeded < 0 {
					t.Fatalf("quintile %d: %+v ends at %+v", q+1, p, e)
				}
			}
		}
	}
}
