// Package intervention estimates what an intervention in one place did, against the other places of its system where there
// was none. It is pure: counts in, effects out, no input or output.
//
// Two figures are looked at, both as a difference in differences. With the counts of each place at the end of three days,
// Start, Before (the day before the intervention) and End, covered people as a share of the eligible of End:
//
//	weekly pace of quintile 1: y = 7 (u1(End) - u1(Before)) / days after - 7 (u1(Before) - u1(Start)) / days before
//	absolute gap:              y = gap(End) - gap(Before), gap = u5 - u1
//
// The effect is y of the place less the weighted mean of y over the other places. It is what happened here beyond what
// happened elsewhere, if without the intervention the place would have changed as the others did: that cannot be tested, only
// seen to be plausible by how much the other places differ from each other. That difference is where the interval comes from.
//
// # The interval
//
// Each other place is taken for the one that had the intervention (a placebo), and its effect against the rest is found;
// all of them should be 0. The placebo effects of small places scatter more, so each is divided by the standard error that
// it should have,
//
//	v(j) = τ² + c / n(j), weight 1 / v(j)
//
// with c / n the binomial variance at the shares newly covered in all other places together, and τ² what places differ by
// beyond it. φ is the mean square of the standardised placebo effects (weighted by 1 - weight / sum of weights, so that
// k places count k - 1). τ² is chosen so that φ is 1 or, where they scatter less than chance alone would have them, is 0,
// which leaves φ below 1. Then
//
//	effect ± t(k-1) √(φ (τ² + v0 + 1 / sum of weights))
//
// with v0 the binomial variance in the place itself and t the 97.5 % point of Student's distribution. With places of one
// size this is the interval of a new observation against k others, which is exact for normal y. Sources: Paule and Mandel, Consensus values
// and weighting factors, Journal of Research of the National Bureau of Standards 87 (1982) 377-385 (τ²); Hartung and Knapp,
// Statistics in Medicine 20 (2001) 3875-3889 (φ and t); Abadie, Diamond and Hainmueller, Journal of the American
// Statistical Association 105 (2010) 493-505 (placebos over the places without an intervention). How often it holds the
// truth is in the tests: TestIntervalHoldsTheTruth prints it.
package intervention

import (
	"cmp"
	"math"
	"slices"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
)

// The settings, this project's choice.
const (
	// LeastPlaces is the least number of other places for an effect to be computed.
	LeastPlaces = 5
	// DaysBefore is how many days before the intervention the pace is compared with, at most.
	DaysBefore = 42
	// LeastBefore is how many there have to be.
	LeastBefore = 14
	// LeastAfter is how many days from the start of the intervention on there have to be.
	LeastAfter = 7
)

// Reason says why an effect is not computed or a place is left out. The empty reason means that it is computed.
type Reason string

const (
	// NotEnoughPlaces means fewer than LeastPlaces other places that can be compared with.
	NotEnoughPlaces Reason = "not enough places"
	// TooEarly means fewer than LeastAfter complete days since the intervention began.
	TooEarly Reason = "less than a week since the intervention began"
	// NothingBefore means fewer than LeastBefore days of the season before the intervention.
	NothingBefore Reason = "less than two weeks before the intervention"
	// TooFewEligible means fewer eligible people than the programme's floor, in quintile 1 or (gap only) 5.
	TooFewEligible Reason = "fewer eligible than the floor"
	// CoveredOverEligible means more people covered than eligible in one of these quintiles.
	CoveredOverEligible Reason = "more covered than eligible"
	// Intervened means that the place had an intervention of its own in the programme.
	Intervened Reason = "had an intervention itself"
	// NobodyNewlyCovered means that uptake of the other places stood still, so that there is nothing to compare with.
	NobodyNewlyCovered Reason = "nobody newly covered in the other places"
)

// Window is the three days at whose end the counts are taken.
type Window struct {
	Start  calendar.Day // before the days that the pace is compared with
	Before calendar.Day // the day before the intervention
	End    calendar.Day // the last day of the intervention, or the last complete day
}

// NewWindow is the window of an intervention from day from to day to, both included; calendar.Far where it goes on. last is the
// last complete day. first is the first day whose counts can be a start: the day before the season for seasonal programmes,
// its first day for cohort programmes (which start with those already covered), history_from for rolling ones.
// Where the reason is not empty nothing can be estimated yet, or at all.
func NewWindow(from, to, last, first calendar.Day) (Window, Reason) {
	w := Window{Start: max(first, from-1-DaysBefore), Before: from - 1, End: min(to, last)}
	switch {
	case w.Before-w.Start < LeastBefore:
		return Window{}, NothingBefore
	case w.End-w.Before < LeastAfter:
		return Window{}, TooEarly
	}
	return w, ""
}

// Overlaps says whether an intervention from day from to day to, both included, keeps a place from being compared with: it
// ran in the window or began to.
func (w Window) Overlaps(from, to calendar.Day) bool { return from <= w.End && to > w.Start }

// Place is the counts of one place at the end of the three days of a window.
type Place struct {
	Code               string
	Start, Before, End inequality.Quintiles
	// Intervened means that it had an intervention of the programme that overlaps the window. It is not looked at for the
	// place whose intervention is estimated.
	Intervened bool
}

// Effects is what an intervention did.
type Effects struct {
	// Pace is the effect on the weekly pace of quintile 1: a share of the eligible a week, fraction of 1. Above 0 means
	// more people a week than without the intervention.
	Pace Effect
	// Gap is the effect on the absolute gap on day End, fraction of 1. Below 0 means a narrower gap than without.
	Gap Effect
	// LeftOut are the places that were not compared with, and why; of those with too few eligible for the gap alone
	// Gap has fewer places than Pace.
	LeftOut []LeftOut
}

// LeftOut is a place that is not compared with.
type LeftOut struct {
	Code   string
	Reason Reason
}

// Effect is one effect. Where NotComputed is set the figures are zero; Places is set always.
type Effect struct {
	NotComputed       Reason
	Effect, Low, High float64   // with its 95 % interval
	Here, Elsewhere   float64   // the difference in the place, and its weighted mean over the others
	Places            int       // other places compared with
	Placebos          []Placebo // the effect of each, as though it had had the intervention, by code
	AsLarge           int       // how many of them are at least as far from 0 as Effect
}

// Placebo is the effect found in a place that had no intervention.
type Placebo struct {
	Code   string
	Effect float64
}

// Estimate is the effect in here against the other places. floor is the programme's least number of eligible people.
// The order of the places does not matter.
func Estimate(w Window, here Place, others []Place, floor int) Effects {
	others = slices.SortedFunc(slices.Values(others), func(a, b Place) int { return cmp.Compare(a.Code, b.Code) })
	pace, gap := figure{floor: floor}, figure{floor: floor}
	pace.after[0], pace.before[0] = 7/float64(w.End-w.Before), -7/float64(w.Before-w.Start)
	gap.after[0], gap.after[4] = -1, 1
	e := Effects{Pace: pace.effect(here, others), Gap: gap.effect(here, others)}
	for _, p := range others {
		if r := pace.unfit(p); r != "" {
			e.LeftOut = append(e.LeftOut, LeftOut{p.Code, r})
		}
	}
	return e
}

// figure is one of the figures that an intervention can change: y is the sum over the quintiles of the shares newly
// covered after and before day Before, times these factors.
type figure struct {
	after, before [5]float64
	floor         int
}

// newly is the shares of a quintile's eligible who became covered after and before day Before.
func newly(p Place, q int) (after, before float64) {
	n := float64(p.End[q].Eligible)
	start, middle, end := float64(p.Start[q].Covered), float64(p.Before[q].Covered), float64(p.End[q].Covered)
	return (end - middle) / n, (middle - start) / n
}

func (f figure) needs(q int) bool { return f.after[q] != 0 || f.before[q] != 0 }

// y is the difference of a place.
func (f figure) y(p Place) float64 {
	var y float64
	for q := range f.after {
		if f.needs(q) {
			after, before := newly(p, q)
			y += f.after[q]*after + f.before[q]*before
		}
	}
	return y
}

// variance is the binomial (over time: multinomial) variance of y in a place of p's size with the shares newly covered of
// rates: for factors a and b of the shares g and h, (a² g (1 - g) + b² h (1 - h) - 2 a b g h) / n, summed over the quintiles.
func (f figure) variance(p, rates Place) float64 {
	var v float64
	for q := range f.after {
		if f.needs(q) {
			g, h := newly(rates, q)
			g, h = math.Abs(g), math.Abs(h) // corrections can outnumber those who came
			a, b := f.after[q], f.before[q]
			v += (a*a*g*(1-g) + b*b*h*(1-h) - 2*a*b*g*h) / float64(p.End[q].Eligible)
		}
	}
	return max(0, v)
}

// unfit is why a place cannot be compared with or estimated.
func (f figure) unfit(p Place) Reason {
	if p.Intervened {
		return Intervened
	}
	for q := range p.End {
		switch {
		case !f.needs(q):
		case p.End[q].Eligible < uint64(max(1, f.floor)):
			return TooFewEligible
		case max(p.Start[q].Covered, p.Before[q].Covered, p.End[q].Covered) > p.End[q].Eligible:
			return CoveredOverEligible
		}
	}
	return ""
}

func (f figure) effect(here Place, others []Place) Effect {
	here.Intervened = false
	fit := slices.DeleteFunc(slices.Clone(others), func(p Place) bool { return f.unfit(p) != "" })
	e := Effect{Places: len(fit), NotComputed: f.unfit(here)}
	if e.NotComputed == "" && len(fit) < LeastPlaces {
		e.NotComputed = NotEnoughPlaces
	}
	if e.NotComputed != "" {
		return e
	}
	together := merge(fit)
	s := make(sample, len(fit))
	for i, p := range fit {
		s[i] = value{f.y(p), f.variance(p, together)}
		if s[i].v == 0 { // for one place, for all
			e.NotComputed = NobodyNewlyCovered
			return e
		}
	}
	own := f.variance(here, here)
	if own == 0 { // nobody newly covered here: as elsewhere
		own = f.variance(here, together)
	}
	tau2 := s.between()
	mean, weight := s.mean(tau2)
	phi := s.scatter(tau2) / float64(len(s)-1)
	half := student975(len(s)-1) * math.Sqrt(phi*(tau2+own+1/weight))
	e.Here, e.Elsewhere = f.y(here), mean
	e.Effect = e.Here - mean
	e.Low, e.High = e.Effect-half, e.Effect+half
	for i, p := range fit {
		w := 1 / (s[i].v + tau2)
		placebo := (s[i].y - mean) / (1 - w/weight) // y less the mean of the rest
		e.Placebos = append(e.Placebos, Placebo{p.Code, placebo})
		if math.Abs(placebo) >= math.Abs(e.Effect) {
			e.AsLarge++
		}
	}
	return e
}

// merge is the counts of several places together.
func merge(places []Place) Place {
	var all Place
	for _, p := range places {
		for q := range p.End {
			all.Start[q].Covered += p.Start[q].Covered
			all.Before[q].Covered += p.Before[q].Covered
			all.End[q].Covered += p.End[q].Covered
			all.End[q].Eligible += p.End[q].Eligible
		}
	}
	return all
}
