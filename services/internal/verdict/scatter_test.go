package verdict

import (
	"math"
	"math/rand/v2"
	"testing"

	"gapwatch/services/internal/calendar"
)

// numbers is a series whose quintiles gain about so many people a week; scatter is added to each week.
func numbers(weeks int, gain func(week, quintile int) float64) Series {
	days := Series{{Day: 0}}
	for i := range days[0].Quintiles {
		days[0].Quintiles[i].Eligible = 1e6
	}
	for w := range weeks {
		d := days[len(days)-1]
		d.Day = calendar.Day(7*w + 6)
		for i := range d.Quintiles {
			d.Quintiles[i].Covered += uint64(math.Round(gain(w, i)))
			d.Gained[i] = d.Quintiles[i].Covered
		}
		days = append(days, d)
	}
	return days
}

func TestScatterOfIndependentAndOfClusteredPeople(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for _, phi := range []float64{1, 2, 5} {
		var all Scatter
		for range 100 {
			s := Learn(numbers(30, func(w, q int) float64 {
				mean := 2000 * math.Exp(-float64((w-8)*(w-8))/100) * (1 + 0.1*float64(q) + 0.01*float64(q*w)) // a season's rise and fall, and a trend
				return max(0, mean+math.Sqrt(phi*mean)*r.NormFloat64())
			}), false, 0, 1000)
			all = all.Add(s)
		}
		if got := all.Square / all.Freedom; math.Abs(got/phi-1) > 0.06 {
			t.Errorf("over-dispersion %v was learnt as %v", phi, got)
		}
	}
}

// What all quintiles share, and a straight trend of one against the others, is not scatter.
func TestTrendIsNotScatter(t *testing.T) {
	s := Learn(numbers(20, func(w, q int) float64 {
		return 3000 * math.Exp(-float64((w-5)*(w-5))/20) * (1 + 0.02*float64(q*w))
	}), false, 0, 1000)
	if s.Weeks < 8 || s.Square/s.Freedom > 0.5 {
		t.Errorf("%+v", s)
	}
	// Weeks of fewer than 50 people say nothing.
	if s := Learn(numbers(20, func(int, int) float64 { return 9 }), false, 0, 1000); s != (Scatter{}) {
		t.Errorf("%+v", s)
	}
}

func TestLearnTakesWholeWeeksUpToADay(t *testing.T) {
	days := numbers(20, func(w, q int) float64 { return float64(1000 + 50*q + 30*(w%3)) })
	for until, weeks := range map[calendar.Day]int{19: 0, 20: 1, 26: 1, 27: 2, 139: 18, 9999: 18} {
		if until > 139 {
			continue // the series ends; later weeks have nobody
		}
		if s := Learn(days, false, 0, until); s.Weeks != weeks {
			t.Errorf("until day %d: %d weeks, want %d", until, s.Weeks, weeks)
		}
		if a, b := Learn(days, false, 0, until), Learn(days, true, 0, until); a != b {
			t.Errorf("from gains %+v, from covered %+v", b, a)
		}
	}
	// Who was covered before the season began did not come in its first week.
	stock := numbers(20, func(w, q int) float64 { return float64(1000 + 50*q + 30*(w%3)) })
	for i := range stock {
		for q := range stock[i].Quintiles {
			stock[i].Quintiles[q].Covered += 300000 * uint64(q%2)
			stock[i].Quintiles[q].Eligible += 300000 * uint64(q%2)
		}
	}
	if a, b := Learn(days, false, 0, 139), Learn(stock, false, 0, 139); math.Abs(a.Square-b.Square) > 1e-9 {
		t.Errorf("with a stock %+v, without %+v", b, a)
	}
}

func TestPhi(t *testing.T) {
	weeks := func(n int, phi float64) Scatter {
		return Scatter{Square: 4 * phi * float64(n), Freedom: 4 * float64(n), Weeks: n}
	}
	much := weeks(1e9, 1.5)
	for name, c := range map[string]struct {
		own, peers Scatter
		low, high  float64
	}{
		"unlearnt":                   {Scatter{}, Scatter{}, 2, 2},
		"seven weeks are too few":    {weeks(7, 9), weeks(7, 9), 2, 2},
		"peers":                      {Scatter{}, much, 1.5, 1.5},
		"never below 1":              {weeks(1e6, 0.2), weeks(1e6, 0.2), 1, 1},
		"peers below 1":              {Scatter{}, weeks(1e9, 0.5), 1, 1},
		"own weeks count":            {weeks(100, 3), much, 2.2, 2.3},
		"own weeks count in full":    {weeks(1e9, 3), much, 3, 3},
		"own weeks alone, against 2": {weeks(20, 1), Scatter{}, 1.8, 1.85},
		"a few peers, against 2":     {Scatter{}, weeks(20, 1), 1.1, 1.2},
	} {
		if got := Phi(c.own, c.peers); got < c.low-1e-6 || got > c.high+1e-6 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// This season's weeks count once they have ended 28 days before the day judged, so that a widening does not hide behind
// the scatter that it makes.
func TestOwnWeeksAreLearntAsTheyPass(t *testing.T) {
	c := Case{Kind: "seasonal", Limits: limits, Season: thisSeason, Days: numbers(26, func(w, q int) float64 {
		return float64(20000 + 3000*(w%2)*(q%2))
	})}
	for i := range c.Days {
		c.Days[i].Day += thisSeason.Start
	}
	for _, f := range Judge(&c, thisSeason.Start+28, thisSeason.Start+150) {
		weeks := (f.Day-28-thisSeason.Start+1)/7 - 2
		if f.Compared && (f.Phi > 2) != (weeks >= leastWeeks) {
			t.Errorf("%s, after %d weeks: over-dispersion %v", f.Day, weeks, f.Phi)
		}
	}
}
