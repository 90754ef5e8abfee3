package power

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/verdict"
)

// Setting is one place to be simulated many times.
type Setting struct {
	World    *World
	Eligible int     // people in each quintile
	Phi      float64 // the true over-dispersion
	Weekly   bool    // it comes from what people share for a week, not for a day; not for rolling programmes
	// Learnt says that other places' past seasons are known, as after a programme's first season; else the
	// over-dispersion allowed for starts at 2.
	Learnt bool
	Points float64 // of the widening; 0 for a place in which nothing changes
	Start  int     // the widening's first day; negative: any of the world's, each run another
}

// Result is what came of the runs of a setting.
type Result struct {
	Runs      int `json:"runs"`
	Widening  int `json:"widening"`  // runs in which widening was ever called; with a widening: while it built up, within 14 days
	Narrowing int `json:"narrowing"` // runs in which narrowing was ever called
	Either    int `json:"either"`
	// Needed is the mean change, in percentage points, that a verdict would have taken on the last day looked at.
	Needed float64 `json:"needed_points"`
	Phi    float64 `json:"phi_allowed_for"` // mean over-dispersion allowed for on that day
}

// Rate is the share of the runs with so many, and its standard error.
func (r Result) Rate(count int) (rate, standardError float64) {
	n := float64(max(r.Runs, 1))
	p := float64(count) / n
	return p, math.Sqrt(p * (1 - p) / n)
}

// Run simulates a setting. The same seed gives the same result.
func Run(s Setting, runs int, seed uint64) Result {
	return run(s, peers(s, others(runs), seed), runs, seed)
}

func run(s Setting, peers verdict.Scatter, runs int, seed uint64) Result {
	p := place{Setting: s, peers: peers, r: random(s, seed)}
	result := Result{Runs: runs}
	for range runs {
		p.run(&result)
	}
	if runs > 0 {
		result.Needed /= float64(runs)
		result.Phi /= float64(runs)
	}
	return result
}

func random(s Setting, seed uint64) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, s.World.Name, s.Eligible, s.Phi, s.Weekly, s.Points, s.Start)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// others is how many places of the programme have been watched before, where that has been learnt from: as many as England
// has, fewer in a small trial.
func others(runs int) int { return min(300, 20+runs/5) }

// peers is the scatter of so many other places in the season before.
func peers(s Setting, places int, seed uint64) verdict.Scatter {
	var all verdict.Scatter
	if !s.Learnt {
		return all
	}
	s.Points, s.Start = 0, -2 // other random numbers than any run's
	p := place{Setting: s, r: random(s, seed), until: s.World.Days - 1}
	for range places {
		c, _ := p.simulate(Widening{})
		all = all.Add(verdict.Learn(c.Days, c.Flows, c.Season.Start, c.Days[len(c.Days)-1].Day))
	}
	return all
}

// place holds what is used again from run to run.
type place struct {
	Setting
	r           *rand.Rand
	days, past  verdict.Series
	peers       verdict.Scatter
	from, until int // days looked at, counted from the first look
}

// Two seasons that do not overlap; a rolling programme's history begins on the first day of the earlier.
var (
	lastStart = calendar.Date(2024, 10, 1)
	thisStart = calendar.Date(2025, 10, 1)
)

func (p *place) run(result *Result) {
	x := Widening{Points: p.Points, Start: p.Start}
	if x.Start < 0 {
		x.Start = p.World.First + p.r.IntN(p.World.Last-p.World.First+1)
	}
	p.from, p.until = 0, p.World.Days-1
	if p.Points != 0 {
		p.from, p.until = x.Start, x.Start+building-1
	}
	c, first := p.simulate(x)
	findings := verdict.Judge(&c, first+calendar.Day(p.from), first+calendar.Day(p.until))
	var up, down bool
	var state verdict.State
	for i := range findings {
		var changed bool
		if state, changed = verdict.Step(state, &findings[i]); changed {
			up = up || state.Verdict() == verdict.Widening
			down = down || state.Verdict() == verdict.Narrowing
		}
	}
	count(&result.Widening, up)
	count(&result.Narrowing, down)
	count(&result.Either, up || down)
	end := &findings[len(findings)-1]
	result.Needed += end.Needed * 100
	result.Phi += end.Phi
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}

// simulate makes a case and says which day its first look is.
func (p *place) simulate(x Widening) (verdict.Case, calendar.Day) {
	w := p.World
	c := verdict.Case{Limits: limits, Peers: p.peers, Kind: programme.Seasonal}
	if w.validity > 0 {
		lead := w.validity + 28
		if w.Comparator == verdict.YearEarlier {
			lead = 2*w.validity + 1
		}
		p.days = w.rolling(p.r, p.days, lastStart, lead, lead+p.until+1, p.Eligible, p.Phi, x)
		c.Kind, c.Flows, c.Days = programme.Rolling, true, p.days
		c.Season = programme.Season{ID: programme.RollingSeason, Start: lastStart, End: calendar.Far}
		c.Complete = lastStart + calendar.Day(w.validity)
		if w.Comparator == verdict.DaysEarlier {
			// So that a year of looks is compared with 28 days earlier: history counts as known from then on only.
			c.Complete = lastStart + calendar.Day(lead-28)
		}
		return c, lastStart + calendar.Day(lead)
	}
	p.days = w.season(p.r, p.days, thisStart, p.until+1, p.Eligible, p.Phi, p.Weekly, x)
	c.Days, c.Season = p.days, programme.Season{ID: "this", Start: thisStart, End: thisStart + calendar.Day(w.Days-1)}
	if w.Comparator == verdict.LastSeason {
		p.past = w.season(p.r, p.past, lastStart, w.Days, p.Eligible, p.Phi, p.Weekly, Widening{})
		last := programme.Season{ID: "last", Start: lastStart, End: lastStart + calendar.Day(w.Days-1)}
		c.Last = &verdict.Past{Season: last, Days: p.past}
		if p.Learnt {
			c.Own = verdict.Learn(p.past, false, last.Start, last.End)
		}
	}
	return c, thisStart
}
