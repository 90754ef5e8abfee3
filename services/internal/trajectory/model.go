package trajectory

import (
	"math"

	"gapwatch/services/internal/calendar"
)

// curve is the covered people of one quintile by the days since the season's start, and the eligible of the last day.
type curve struct {
	covered  []float64
	eligible float64
}

type curves [5]curve

// curvesOf is the curves up to a day that is not after the season's end.
func curvesOf(s Season, until calendar.Day) curves {
	var all curves
	for q := range all {
		all[q].covered = make([]float64, until-s.Start+1)
	}
	next := 0
	var now Day
	for i := range all[0].covered {
		for next < len(s.Days) && s.Days[next].Day <= s.Start+calendar.Day(i) {
			now = s.Days[next]
			next++
		}
		for q := range all {
			all[q].covered[i] = float64(now.Quintiles[q].Covered)
			all[q].eligible = float64(now.Quintiles[q].Eligible)
		}
	}
	return all
}

// quintile is the last season's curve, if it is fit to take the shape from on that day of the season.
func (c *curves) quintile(q, day int) *curve {
	if c == nil || day >= len(c[q].covered) {
		return nil
	}
	end := c[q].covered[len(c[q].covered)-1]
	if end <= 0 || end > c[q].eligible || c[q].covered[day] >= c[q].eligible {
		return nil
	}
	return &c[q]
}

func (c curve) uptake(day int) float64 { return c.covered[day] / c.eligible }

// left is the people not covered at the end of that day, at least half a person, so that no hazard is ever infinite.
func (c curve) left(day int) float64 {
	return max(c.eligible-c.covered[min(day, len(c.covered)-1)], 0.5)
}

// hazard is H(from, to), never below 0: uptake of a season falls by corrections only. to may lie after the last day: then
// nobody comes any more.
func (c curve) hazard(from, to int) float64 { return max(0, math.Log(c.left(from)/c.left(to))) }

// trend is b: the change of ln H from the week before the last one to the last one that ends on that day, of all quintiles
// together. The fewer people came the less it counts.
func (c curves) trend(day int) float64 {
	if day < 2*week {
		return 0
	}
	var last, before, leftLast, leftBefore float64
	for _, q := range c {
		last += q.covered[day] - q.covered[day-week]
		before += q.covered[day-week] - q.covered[day-2*week]
		leftLast += q.eligible - q.covered[day-week]
		leftBefore += q.eligible - q.covered[day-2*week]
	}
	least := min(last, before)
	if least <= 0 || leftLast <= 0 {
		return 0
	}
	b := math.Log(last / leftLast / (before / leftBefore))
	b = min(math.Log(fastest), max(math.Log(slowest), b))
	return b * least / (least + steadyTrend)
}

// pace is the weekly hazard on that day: of the last week or, where fewer than enoughNewly people came in it, of as many
// weeks, up to four, as it takes.
func (c curve) pace(day int) float64 {
	weeks := 1
	for weeks < 4 && (weeks+1)*week <= day && c.covered[day]-c.covered[day-weeks*week] < enoughNewly {
		weeks++
	}
	return c.hazard(max(0, day-weeks*week), day) / float64(weeks)
}

// decaying is the hazard of 1, 2, ... days ahead of that day by the decaying pace.
func (c curve) decaying(day int, trend float64, days int) []float64 {
	ahead := make([]float64, days)
	h, sum, part := c.pace(day), 0.0, 1.0
	for i := range ahead {
		if i%week == 0 {
			part *= damping
			h *= math.Exp(part*trend + (1-part)*math.Log(settle))
		}
		sum += h / week
		ahead[i] = sum
	}
	return ahead
}

// shape is the hazard of 1, 2, ... days after that day.
func (c curve) shape(day, days int) []float64 {
	ahead := make([]float64, days)
	for i := range ahead {
		ahead[i] = c.hazard(day, day+i+1)
	}
	return ahead
}

// spread is σ of both methods.
type spread struct{ pace, season float64 }

// newSpread learns σ from the one-week projections of the weeks before today.
func newSpread(now curves, before *curves, today int) spread {
	pace := errorWeeks * errorPace * errorPace
	season := errorWeeks * errorSeason * errorSeason
	paceWeeks, seasonWeeks := errorWeeks, errorWeeks
	for day := today - week; day >= 0; day -= week {
		trend := now.trend(day)
		var paceSum, seasonSum, paceOf, seasonOf float64
		for q, c := range now {
			left := c.eligible - c.covered[day]
			if left <= 0 {
				continue
			}
			least := leastHazard + 1/left // a week with nobody is as good as one with one person
			is := c.hazard(day, day+week)
			square := func(projected float64) float64 {
				e := math.Log((is + least) / (projected + least))
				return e * e
			}
			if day >= 2*week {
				paceSum += square(c.decaying(day, trend, week)[week-1])
				paceOf++
			}
			if b := before.quintile(q, day); b != nil {
				seasonSum += square(b.hazard(day, day+week))
				seasonOf++
			}
		}
		if paceOf > 0 {
			pace += paceSum / paceOf
			paceWeeks++
		}
		if seasonOf > 0 {
			season += seasonSum / seasonOf
			seasonWeeks++
		}
	}
	return spread{math.Sqrt(pace / paceWeeks), math.Sqrt(season / seasonWeeks)}
}

// path is the estimates of 1, 2, ... days ahead of a curve's last day from the hazard of those days and its σ, which grows with
// the square root of the weeks where growing. people are the people not yet covered, here and, where a last season was
// looked at, there: of few people only chance decides how many come.
func path(u float64, ahead []float64, sigma float64, growing bool, people ...float64) []Estimate {
	estimates := make([]Estimate, len(ahead))
	to := func(h float64) float64 { return u - (1-u)*math.Expm1(-h) }
	low, high := 0.0, 0.0
	for i, h := range ahead {
		variance := sigma * sigma
		if growing {
			variance *= float64(i+1) / week
		}
		for _, n := range people {
			if h > 0 {
				variance += math.Expm1(h) / h / (n*h + 1)
			}
		}
		f := math.Exp(normal975 * math.Sqrt(variance))
		low, high = max(low, h/f), max(high, h*f)
		estimates[i] = Estimate{to(h), to(low), to(high)}
	}
	return estimates
}
