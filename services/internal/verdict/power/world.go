// Package power measures verdicts by simulation: how often one is given where nothing has changed, and how often a
// widening is called in time. It judges with package verdict itself, as the aggregator does. It is pure: settings and a
// seed in, figures out.
package power

import (
	"math"
	"math/rand/v2"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/verdict"
)

// World is a kind of programme and season in which places are simulated.
type World struct {
	Name        string
	Comparator  verdict.Comparator
	Days        int        // looks of a place-season
	First, Last int        // days after the season's start on which a widening may begin; both are among them
	start       float64    // uptake on the season's first day
	final       [5]float64 // uptake by quintile at which the season would end
	pace        [5]float64 // days by which 63 % of those have come
	validity    int        // rolling: days that a check covers

	table [5][]float64 // curve by day, from the day before the first on
}

func init() {
	for i := range Worlds {
		w := &Worlds[i]
		for q := range w.table {
			for day := -1; w.validity == 0 && day < w.Days+7; day++ {
				w.table[q] = append(w.table[q], w.curve(q, day))
			}
		}
	}
}

// Worlds are the kinds that are simulated. The curves are those of the synthetic health system, of the size that is
// published for England. Where the comparator is a day of the same season, no true change means that the expected gap
// stays the same, so there all quintiles have one curve.
var Worlds = []World{
	{
		Name: "flu, last season", Comparator: verdict.LastSeason, Days: 182, First: 7, Last: 120,
		final: [5]float64{0.72, 0.755, 0.785, 0.805, 0.82}, pace: [5]float64{34, 32, 31, 30, 29},
	},
	{
		Name: "autumn COVID-19, last season", Comparator: verdict.LastSeason, Days: 123, First: 7, Last: 90,
		final: [5]float64{0.48, 0.56, 0.62, 0.67, 0.70}, pace: [5]float64{38, 35, 33, 31, 29},
	},
	{
		Name: "MMR cohort, last season", Comparator: verdict.LastSeason, Days: 365, First: 7, Last: 300,
		start: 0.78, final: [5]float64{0.86, 0.89, 0.91, 0.93, 0.945}, pace: [5]float64{180, 180, 180, 180, 180},
	},
	{
		Name: "flu, 28 days earlier", Comparator: verdict.DaysEarlier, Days: 182, First: 28, Last: 120,
		final: [5]float64{0.785, 0.785, 0.785, 0.785, 0.785}, pace: [5]float64{31, 31, 31, 31, 31},
	},
	{
		Name: "yearly checks, 28 days earlier", Comparator: verdict.DaysEarlier, Days: 337, First: 28, Last: 300,
		final: [5]float64{0.6, 0.6, 0.6, 0.6, 0.6}, validity: 365,
	},
	{
		Name: "yearly checks, a year earlier", Comparator: verdict.YearEarlier, Days: 365, First: 28, Last: 300,
		final: [5]float64{0.5, 0.55, 0.6, 0.65, 0.7}, validity: 365,
	},
}

// limits are those of most programmes: the smallest change that matters is one point.
var limits = programme.Limits{Floor: 100, SmallestChange: 1, UnknownArea: 5, Ceiling: 20}

// by is the expected uptake of a quintile at the end of a season's day (0 is the first).
func (w *World) by(quintile, day int) float64 { return w.table[quintile][day+1] }

// curve is where the table is from. Weekends are quiet.
func (w *World) curve(quintile, day int) float64 {
	weeks, rest := float64((day+1)/7), float64((day+1)%7)
	days := weeks*7 + min(rest, 5)*1.26 + max(rest-5, 0)*0.35
	rise := 1 - math.Exp(-math.Pow(days/w.pace[quintile], 1.3))
	if w.start > 0 {
		return w.start*w.final[quintile] + (1-w.start)*w.final[quintile]*rise
	}
	return w.final[quintile] * rise
}

// Widening is a gap that opens in a straight line over 14 days: half of it by fewer people of quintile 1, as far as as
// many are expected, the rest by more people of quintile 5, as far as there are so many. The zero value is none.
type Widening struct {
	Points float64 // percentage points
	Start  int     // first day
}

const building = 14 // days

func (x Widening) on(day int) float64 {
	return x.Points / 100 * min(max(float64(day-x.Start+1)/building, 0), 1)
}

// expected is the uptake of a quintile with the widening.
func (w *World) expected(x Widening, quintile, day int) float64 {
	p := w.by(quintile, day)
	if x.Points == 0 || quintile != 0 && quintile != 4 {
		return p
	}
	end, size := x.Start+building-1, x.Points/100
	lost := min(0.5, 0.8*(w.by(0, end)-w.by(0, x.Start-1))/size)
	lost = max(lost, 1-(0.99-w.by(4, end))/size)
	if quintile == 0 {
		return p - lost*x.on(day)
	}
	return p + (1-lost)*x.on(day)
}

// season simulates the first days (looks) of a season of a place whose quintiles have n eligible people each. Weekly
// says that what people share lasts for a week and not for a day.
func (w *World) season(r *rand.Rand, into verdict.Series, start calendar.Day, looks, n int, phi float64, weekly bool, x Widening) verdict.Series {
	days := into[:0]
	var covered, left [5]int
	var before [5]float64
	if w.start > 0 {
		for q := range covered {
			before[q] = w.expected(x, q, -1)
			covered[q] = come(r, n, before[q], phi)
		}
	}
	for d := range looks {
		row := verdict.Day{Day: start + calendar.Day(d)}
		for q := range covered {
			p := w.expected(x, q, d)
			var in int
			if p < before[q] { // on a quiet day of a widening: some are taken off again
				in = -binomial(r, covered[q], 1-p/before[q])
			} else if weekly { // who comes this week, then on which day of it
				end := w.expected(x, q, d-d%7+6)
				if d%7 == 0 {
					left[q] = come(r, n-covered[q], (end-before[q])/(1-before[q]), phi)
				}
				in = binomial(r, left[q], (p-before[q])/(end-before[q]))
				left[q] -= in
			} else {
				in = come(r, n-covered[q], (p-before[q])/(1-before[q]), phi)
			}
			covered[q] += in
			before[q] = p
			row.Quintiles[q].Covered, row.Quintiles[q].Eligible = uint64(covered[q]), uint64(n)
		}
		days = append(days, row)
	}
	return days
}

// rolling simulates a rolling programme from its first check on: everybody's cover ends after the validity, and those
// not covered come at a steady rate. The widening's days are counted from the day lead on.
func (w *World) rolling(r *rand.Rand, into verdict.Series, start calendar.Day, lead, total, n int, phi float64, x Widening) verdict.Series {
	days := into[:0]
	var covered [5]int
	var gained, lost [5]uint64
	for d := range total {
		row := verdict.Day{Day: start + calendar.Day(d)}
		for q := range covered {
			rate := w.final[q] / (1 - w.final[q]) / float64(w.validity)
			if d < w.validity { // the first year fills up evenly
				rate = w.final[q] / float64(w.validity) / (1 - w.final[q]*float64(d)/float64(w.validity))
			}
			out := 0
			if d >= w.validity {
				out = int(days[d-w.validity].Gained[q])
				if d > w.validity {
					out -= int(days[d-w.validity-1].Gained[q])
				}
			}
			extra := (x.on(d-lead) - x.on(d-lead-1)) / 2 / (1 - w.final[q])
			switch q {
			case 0:
				rate -= extra
			case 4:
				rate += extra
			}
			in := 0
			if rate > 0 {
				in = come(r, n-covered[q]+out, rate, phi)
			} else if extra > 0 { // fewer stay away than would have to: some are taken off
				out += min(covered[q], binomial(r, n-covered[q], -rate))
			}
			covered[q] += in - out
			gained[q], lost[q] = gained[q]+uint64(in), lost[q]+uint64(out)
			row.Quintiles[q].Covered, row.Quintiles[q].Eligible = uint64(max(0, covered[q])), uint64(n)
		}
		row.Gained, row.Lost = gained, lost
		days = append(days, row)
	}
	return days
}
