package power

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func world(t *testing.T, name string) *World {
	t.Helper()
	for i := range Worlds {
		if Worlds[i].Name == name {
			return &Worlds[i]
		}
	}
	t.Fatalf("no world %q", name)
	return nil
}

// A small version of what the command does: the bounds leave three standard errors.
func TestFewerThanOneInAHundredAlarm(t *testing.T) {
	const runs = 1500
	most := int(math.Ceil(runs*0.01 + 3*math.Sqrt(runs*0.01*0.99)))
	for _, s := range []Setting{
		{World: world(t, "flu, last season"), Eligible: 10000, Phi: 1, Learnt: true},
		{World: world(t, "flu, last season"), Eligible: 2000, Phi: 2, Learnt: true},
		{World: world(t, "autumn COVID-19, last season"), Eligible: 10000, Phi: 2, Weekly: true, Learnt: true},
		{World: world(t, "MMR cohort, last season"), Eligible: 2000, Phi: 2, Learnt: true},
		{World: world(t, "flu, 28 days earlier"), Eligible: 10000, Phi: 2},
		{World: world(t, "yearly checks, 28 days earlier"), Eligible: 10000, Phi: 2},
		{World: world(t, "yearly checks, a year earlier"), Eligible: 10000, Phi: 2},
	} {
		r := Run(s, runs, 1)
		t.Logf("%s, %d eligible, phi %g: of %d widening %d, narrowing %d; phi allowed for %.2f", s.World.Name, s.Eligible, s.Phi, runs, r.Widening, r.Narrowing, r.Phi)
		if r.Widening > most || r.Narrowing > most {
			t.Errorf("%s: more than %d of %d alarm where nothing changes", s.World.Name, most, runs)
		}
	}
}

func TestWideningsAreCalledInTime(t *testing.T) {
	const runs = 700
	for _, s := range []Setting{
		{World: world(t, "flu, last season"), Phi: 1, Learnt: true},
		{World: world(t, "MMR cohort, last season"), Phi: 1, Learnt: true},
		{World: world(t, "flu, 28 days earlier"), Phi: 1}, // 2 is allowed for
		{World: world(t, "flu, 28 days earlier"), Phi: 2},
		{World: world(t, "yearly checks, 28 days earlier"), Phi: 2},
	} {
		for points, eligible := range map[float64]int{5: 10000, 3: 20000} {
			s.Points, s.Eligible, s.Start = points, eligible, -1
			r := Run(s, runs, 1)
			t.Logf("%s, %g points at %d, phi %g: %d of %d called", s.World.Name, points, eligible, s.Phi, r.Widening, runs)
			if least := int(runs*0.9 - 3*math.Sqrt(runs*0.9*0.1)); r.Widening < least {
				t.Errorf("%s, %g points: %d of %d called, fewer than %d", s.World.Name, points, r.Widening, runs, least)
			}
		}
	}
}

func TestDrawsHaveTheMomentsTheyShould(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		n      int
		p, phi float64
	}{
		{10, 0.3, 1}, {1000, 0.002, 1}, {1000, 0.3, 1}, {1000, 0.9, 1}, {100000, 0.05, 1},
		{1000, 0.02, 2}, {10000, 0.001, 2}, {10000, 0.2, 2}, {500, 0.5, 5},
	} {
		const draws = 40000
		sum, squares := 0.0, 0.0
		for range draws {
			k := float64(come(r, c.n, c.p, c.phi))
			if k < 0 || k > float64(c.n) {
				t.Fatalf("%+v: drew %v", c, k)
			}
			d := k - float64(c.n)*c.p
			sum, squares = sum+d, squares+d*d
		}
		variance := c.phi * float64(c.n) * c.p * (1 - c.p)
		if mean := sum / draws; math.Abs(mean) > 4*math.Sqrt(variance/draws) {
			t.Errorf("%+v: the mean is %v off", c, mean)
		}
		if ratio := squares / draws / variance; math.Abs(ratio-1) > 0.06 {
			t.Errorf("%+v: variance is %v times what it should be", c, ratio)
		}
	}
	for _, c := range []struct {
		n    int
		p    float64
		want int
	}{{0, 0.5, 0}, {5, 0, 0}, {5, 1, 5}, {5, -1, 0}, {2, 1, 2}} {
		if got := come(r, c.n, c.p, 2); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// Cumulative numbers have the variance that the verdict takes them to have: phi p (1 - p) / n.
func TestSeasonsHaveTheVarianceTheyShould(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	w := world(t, "flu, last season")
	for _, weekly := range []bool{false, true} {
		const n, day = 2000, 48
		p := w.by(0, day)
		squares := 0.0
		const seasons = 3000
		for range seasons {
			s := w.season(r, nil, 0, day+1, n, 2, weekly, Widening{})
			d := float64(s[day].Quintiles[0].Covered)/n - p
			squares += d * d
		}
		if ratio := squares / seasons / (p * (1 - p) / n); math.Abs(ratio-2) > 0.2 {
			t.Errorf("weekly %v: the variance is %v times that of independent people", weekly, ratio)
		}
	}
}

// Other places' weeks give the true over-dispersion, also where much of a quintile comes within a week.
func TestOverDispersionIsLearntFromSeasons(t *testing.T) {
	for _, phi := range []float64{1, 2} {
		for _, name := range []string{"flu, last season", "yearly checks, 28 days earlier"} {
			for _, weekly := range []bool{false, true} {
				s := peers(Setting{World: world(t, name), Eligible: 10000, Phi: phi, Weekly: weekly, Learnt: true}, 100, 1)
				if got := s.Square / s.Freedom; math.Abs(got/phi-1) > 0.08 {
					t.Errorf("%s: over-dispersion %g was learnt as %.3f", name, phi, got)
				}
			}
		}
	}
}

func TestAWideningOpensTheGapByItsPoints(t *testing.T) {
	for _, name := range []string{"flu, last season", "MMR cohort, last season", "flu, 28 days earlier"} {
		w := world(t, name)
		for start := w.First; start <= w.Last; start++ {
			x := Widening{Points: 5, Start: start}
			gap := func(x Widening, day int) float64 { return w.expected(x, 4, day) - w.expected(x, 0, day) }
			for after, want := range map[int]float64{-1: 0, 6: 0.025, 13: 0.05} {
				if got := gap(x, start+after) - gap(Widening{}, start+after); math.Abs(got-want) > 1e-9 {
					t.Errorf("%s from day %d: %d days later the gap is %v wider, want %v", name, start, after, got, want)
				}
			}
		}
	}
	// One large place, so that chance does not show.
	r := rand.New(rand.NewPCG(4, 1))
	w := world(t, "flu, 28 days earlier")
	s := w.season(r, nil, 0, 140, 5_000_000, 1, false, Widening{Points: 8, Start: 101})
	for day, want := range map[int]float64{100: 0, 107: 0.04, 114: 0.08} {
		got := (float64(s[day].Quintiles[4].Covered) - float64(s[day].Quintiles[0].Covered)) / 5e6
		if math.Abs(got-want) > 0.002 {
			t.Errorf("season, day %d: gap %v, want %v", day, got, want)
		}
	}
	w = world(t, "yearly checks, 28 days earlier")
	s = w.rolling(r, nil, 0, 400, 500, 1_000_000, 1, Widening{Points: 5, Start: 50})
	for day, want := range map[int]float64{449: 0, 456: 0.025, 463: 0.05} {
		got := (float64(s[day].Quintiles[4].Covered) - float64(s[day].Quintiles[0].Covered)) / 1e6
		if math.Abs(got-want) > 0.004 {
			t.Errorf("rolling, day %d: gap %v, want %v", day, got, want)
		}
	}
}

func TestReport(t *testing.T) {
	rows := 0
	report := Make(1, 3, func(Row) { rows++ })
	if rows != len(report.Alarms)+len(report.Marks)+len(report.Power) || len(report.Power)%len(Points) != 0 {
		t.Errorf("%d rows", rows)
	}
	var text, first, again bytes.Buffer
	if err := report.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Seed 3, 1 runs", "1. Nothing changes", "2. The marks", "3. Power", "yearly checks, a year earlier"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if err := report.JSON(&first); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(first.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if err := back.JSON(&again); err != nil || again.String() != first.String() {
		t.Errorf("read back, the JSON differs (%v)", err)
	}
	s := Setting{World: &Worlds[0], Eligible: 500, Phi: 2, Learnt: true, Points: 8, Start: -1}
	if a, b := Run(s, 50, 9), Run(s, 50, 9); a != b {
		t.Errorf("the same seed gave %+v and %+v", a, b)
	}
}
