// Package trajectory projects the uptake of a season to its end, per deprivation quintile, with a 95 % interval, and says
// when the target is reached. It is pure: counts in, projection out, no input or output.
//
// Everything is done on the share not yet covered, so no projection is ever over 100 %. With u(t) the uptake at the end of
// day t, the hazard of the days from t to s is
//
//	H(t, s) = -ln((1 - u(s)) / (1 - u(t)))
//
// and a projection from day t is 1 - (1 - u(t)) exp(-H). H has no unit; a weekly H of 0.05 means that about 5 % of those not
// yet covered become covered in that week. Uptake is a fraction of 1 everywhere, always of the eligible of the last day.
//
// Where the last season is known ([LastSeason]), H is last season's over the same days since the start, in the same quintile
// of the same geography: of those not yet covered, the same share comes as came then.
//
// Otherwise ([DecayingPace]) the weekly H goes on changing as it last did, less so each week, and ends up falling by 10 % a
// week. In the j-th week ahead
//
//	ln H(j) = ln H(j-1) + 0.7^j b + (1 - 0.7^j) ln 0.9
//
// with b the change of ln H between the last two weeks, of the five quintiles together: one quintile of a small place is too
// noisy for a trend of its own. This is exponential smoothing with a damped trend (Gardner and McKenzie, Forecasting trends
// in time series, Management Science 31 (1985) 1237-1246) on the logarithm of the hazard.
//
// The interval is H exp(± 1.96 √v) with
//
//	v = σ² g + the sum of (exp(H) - 1) / (H (n H + 1))
//
// σ² is the mean square of the errors that one-week projections of this method made so far in this season, of ln H, averaged
// over the quintiles, together with four weeks of an error set beforehand. g is the number of weeks ahead for the decaying
// pace, whose errors add up like a random walk, and 1 for last season's shape, where a season that is ahead of the last one
// stays ahead. The sum is the binomial variance of ln H among the n people not yet covered, here and in last season where it
// is used; the 1 keeps it finite where less than one person is to come. People who are covered stay so: neither limit falls
// from one day to the next.
//
// How well this does on real series is in the tests: TestFourWeeksAheadOnRealGroups prints it.
package trajectory

import (
	"math"
	"slices"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
)

// The settings of both methods. Damping, settling rate and errors beforehand were set on the OpenSAFELY series of first
// doses (12 groups, 2020 to 2022); everything else is this project's choice.
const (
	damping       = 0.7  // share of the last change of pace that goes on a week later
	settle        = 0.9  // the factor by which the weekly hazard changes in the end
	slowest       = 0.3  // the least factor that the last change of pace is taken for
	fastest       = 2.0  // the greatest
	errorPace     = 0.4  // standard deviation of ln H one week ahead, before any error was seen: decaying pace
	errorSeason   = 0.25 // the same for last season's shape
	errorWeeks    = 4.0  // how many weeks of errors that counts for
	leastHazard   = 2e-4 // added to both sides of an error, so that nobody in a week is no infinite error
	enoughNewly   = 30   // the pace is that of the last week, or of up to four where fewer people than this were newly covered
	steadyTrend   = 20   // newly covered people a week at which the last change of pace counts half
	normal975     = 1.959963984540054
	week          = 7
	longestSeason = 732 // days; a longer one has no end that could be projected to
)

// Day is the counts at the end of one day.
type Day struct {
	Day       calendar.Day
	Quintiles inequality.Quintiles
}

// Season is one season of one programme and geography.
type Season struct {
	Start, End calendar.Day // both belong to it
	Days       []Day        // in order; a day that is left out is as the one before it, and before the first nobody is covered
}

// Method says what a projection rests on.
type Method string

const (
	// LastSeason means the share of those not yet covered that came over the same days of the last season.
	LastSeason Method = "last season's shape on the share not yet covered"
	// DecayingPace means that the pace goes on as it last changed and then falls.
	DecayingPace Method = "decaying pace on the share not yet covered"
)

// Reason says why there is no projection for a quintile. The empty reason means that there is one.
type Reason string

const (
	// TooFewEligible means fewer eligible people than the programme's floor.
	TooFewEligible Reason = "fewer eligible than the floor"
	// CoveredOverEligible means more people covered than eligible.
	CoveredOverEligible Reason = "more covered than eligible"
	// TooEarly means fewer than two whole weeks of this season and no last season.
	TooEarly Reason = "fewer than two weeks of this season and no last season"
	// NoSeasonEnd means a season of more than two years, as rolling programmes have.
	NoSeasonEnd Reason = "no end of season"
	// NoDays means that the season has not started or nothing is known of it.
	NoDays Reason = "no days of this season"
)

// Estimate is a projected uptake with its 95 % interval, fractions of 1.
type Estimate struct{ Uptake, Low, High float64 }

// Status says whether the target is reached in this season.
type Status string

const (
	// Reached means that it is.
	Reached Status = "reached"
	// Expected means that the projection reaches it by the season's end.
	Expected Status = "expected"
	// Unlikely means that it does not: the target is missed more likely than not.
	Unlikely Status = "unlikely this season"
)

// Projection is what is to be expected of one quintile. Where NotComputed is set everything else is zero.
type Projection struct {
	NotComputed Reason
	Method      Method
	Uptake      float64  // on the last complete day
	End         Estimate // on the last day of the season
	Status      Status
	// The day on which the target was or will be reached: as projected, by the upper and by the lower limit of the
	// interval. calendar.Far means not in this season.
	Date, Earliest, Latest calendar.Day
	// WeeklyPaceNeeded is the pace at which the target would be reached on the season's last day: share of the eligible
	// a week, a fraction of 1; 0 once it is reached, more than 1 where it is out of reach. PeopleNeeded is the same in people
	// a week, rounded up. With no day left both are for one week.
	WeeklyPaceNeeded float64
	PeopleNeeded     uint64

	at   calendar.Day // the last complete day
	path []Estimate   // of the days after it, to the season's end
}

// On is the projected uptake at the end of a day, for drawing. Up to the last complete day it is the uptake of that day,
// after the season's end that of the end.
func (p Projection) On(day calendar.Day) Estimate {
	if n := min(int(day-p.at), len(p.path)); n > 0 {
		return p.path[n-1]
	}
	return Estimate{p.Uptake, p.Uptake, p.Uptake}
}

// Project projects each quintile of a season from its last complete day (asOf, or the season's end if that is sooner) to
// the season's end. last is the season before, counted by the same areas and edition, or nil. target is the uptake aimed at as a
// fraction of 1; floor is the programme's least number of eligible people. Index 0 of the result is quintile 1, the most
// deprived.
//
// For seasonal and cohort programmes: uptake of a rolling programme also falls, and its season has no end.
func Project(asOf calendar.Day, this Season, last *Season, target float64, floor int) [5]Projection {
	var projections [5]Projection
	asOf = min(asOf, this.End)
	length := int(this.End - this.Start)
	reason := Reason("")
	switch {
	case length > longestSeason:
		reason = NoSeasonEnd
	case asOf < this.Start || len(this.Days) == 0 || this.Days[0].Day > asOf:
		reason = NoDays
	}
	if reason != "" {
		for q := range projections {
			projections[q].NotComputed = reason
		}
		return projections
	}
	now := curvesOf(this, asOf)
	var before *curves
	if last != nil && len(last.Days) > 0 {
		c := curvesOf(*last, last.End)
		before = &c
	}
	today := len(now[0].covered) - 1
	spread := newSpread(now, before, today)
	trend := now.trend(today)
	for q := range projections {
		projections[q] = project(now[q], before.quintile(q, today), spread, trend, target, floor, this)
	}
	return projections
}

func project(now curve, before *curve, spread spread, trend, target float64, floor int, season Season) Projection {
	today := len(now.covered) - 1
	switch {
	case now.eligible < float64(max(1, floor)):
		return Projection{NotComputed: TooFewEligible}
	case now.covered[today] > now.eligible:
		return Projection{NotComputed: CoveredOverEligible}
	case before == nil && today < 2*week && season.Start+calendar.Day(today) < season.End:
		return Projection{NotComputed: TooEarly}
	}
	p := Projection{Uptake: now.uptake(today), at: season.Start + calendar.Day(today)}
	left := int(season.End - p.at)
	if before != nil {
		p.Method = LastSeason
		p.path = path(p.Uptake, before.shape(today, left), spread.season, false, now.left(today), before.left(today))
	} else {
		p.Method = DecayingPace
		p.path = path(p.Uptake, now.decaying(today, trend, left), spread.pace, true, now.left(today))
	}
	p.End = p.On(season.End)
	p.reach(now, target, season)
	return p
}

// reach fills in when the target is reached.
func (p *Projection) reach(now curve, target float64, season Season) {
	if p.Uptake >= target { // it can have been reached before and lost again by a correction
		i := 0
		for now.uptake(i) < target {
			i++
		}
		p.Status, p.Date = Reached, season.Start+calendar.Day(i)
		p.Earliest, p.Latest = p.Date, p.Date
		return
	}
	first := func(reached func(Estimate) bool) calendar.Day {
		if i := slices.IndexFunc(p.path, reached); i >= 0 {
			return p.at + calendar.Day(i+1)
		}
		return calendar.Far
	}
	p.Date = first(func(e Estimate) bool { return e.Uptake >= target })
	p.Earliest = first(func(e Estimate) bool { return e.High >= target })
	p.Latest = first(func(e Estimate) bool { return e.Low >= target })
	p.Status = Expected
	if p.Date == calendar.Far {
		p.Status = Unlikely
	}
	p.WeeklyPaceNeeded = (target - p.Uptake) / max(1, float64(season.End-p.at)/week)
	p.PeopleNeeded = uint64(math.Ceil(p.WeeklyPaceNeeded*now.eligible - 1e-9))
}
