package verdict

import "gapwatch/services/internal/calendar"

const (
	unlearnt    = 2.0 // over-dispersion that is allowed for until it is learnt
	leastWeeks  = 8   // weeks of scatter from which on something has been learnt
	leastPeople = 50  // newly covered people of a week that is used
	// priorFreedom is the weight of what is known from elsewhere (the programme's other places, else 2) against a place's
	// own weeks, in degrees of freedom: about four seasons of weeks. Less, and the chance in one place's estimate raises alarms.
	priorFreedom = 200
	// overlap is by how much the weeks' squares say less than as many independent ones: each week is in three of them.
	overlap = 1.94
)

// Scatter is evidence on over-dispersion: how much more the fifths' weekly numbers scatter than those of people who come
// independently. Scatters of several places or seasons are added.
type Scatter struct {
	Square  float64 // sum of squared deviations over their variance for independent people
	Freedom float64 // what Square would be on average for independent people
	Weeks   int
}

// Add is the evidence of both.
func (s Scatter) Add(o Scatter) Scatter {
	return Scatter{s.Square + o.Square, s.Freedom + o.Freedom, s.Weeks + o.Weeks}
}

func (s *Scatter) add(o Scatter) { *s = s.Add(o) }

// Phi is the over-dispersion to allow for, at least 1: the place's own scatter, drawn towards that of its peers. Until
// there are eight weeks of either it is 2; with own weeks only, they are drawn towards 2.
func Phi(own, peers Scatter) float64 {
	prior := unlearnt
	if peers.Weeks >= leastWeeks && peers.Freedom > 0 {
		weight := peers.Freedom / overlap
		prior = (weight*peers.Square/peers.Freedom + leastWeeks*unlearnt) / (weight + leastWeeks)
	}
	if own.Weeks < leastWeeks || own.Freedom <= 0 {
		return max(1, prior)
	}
	weight := own.Freedom / overlap
	return max(1, (weight*own.Square/own.Freedom+priorFreedom*prior)/(weight+priorFreedom))
}

// Learn is the scatter of the whole weeks of a season that are over by the day until; start is the season's first day.
// flows says that the series has Gained, see Case.Flows.
//
// Per week, each quintile's rate among its people not yet covered, relative to that of all quintiles, is compared with
// the mean of the weeks before and after. So neither a season's rise and fall, which all quintiles share, nor a straight
// trend of a quintile against the others counts as scatter.
func Learn(days Series, flows bool, start, until calendar.Day) Scatter {
	w := weekly{cursor: cursor{days: days}, start: start, flows: flows}
	return w.until(until)
}

// weekly reads a series by week and compares each with its neighbours.
type weekly struct {
	cursor
	start  calendar.Day
	flows  bool
	done   int // weeks read
	recent [3]week
}

// week is how many people were newly covered in a week.
type week struct {
	gained, pending       [5]float64 // newly covered; not yet covered when the week began
	allGained, allPending float64
}

// until is the scatter of the weeks that have ended since the last call, up to and including that day.
func (w *weekly) until(day calendar.Day) Scatter {
	var s Scatter
	for w.start+calendar.Day(7*(w.done+1)) <= day+1 {
		first := w.start + calendar.Day(7*w.done)
		before := max(first-1, w.start) // the first day has everybody who was covered before the season began
		w.recent[0], w.recent[1] = w.recent[1], w.recent[2]
		w.recent[2] = newWeek(*w.at(before), *w.at(first + 6), w.flows)
		w.done++
		if w.done >= 3 {
			s.add(compare(&w.recent[0], &w.recent[1], &w.recent[2]))
		}
	}
	return s
}

func newWeek(before, after Day, flows bool) week {
	var w week
	for i := range w.gained {
		if flows {
			w.gained[i] = between(before.Gained[i], after.Gained[i])
		} else {
			w.gained[i] = between(before.Quintiles[i].Covered, after.Quintiles[i].Covered)
		}
		w.pending[i] = between(before.Quintiles[i].Covered, after.Quintiles[i].Eligible)
		w.allGained += w.gained[i]
		w.allPending += w.pending[i]
	}
	return w
}

// relative is a quintile's rate as a multiple of that of all.
func (w *week) relative(i int) float64 {
	if w.pending[i] == 0 {
		return 0
	}
	return w.gained[i] / w.pending[i] * w.allPending / w.allGained
}

// left is the share of the people not yet covered whom the week left so.
func (w *week) left() float64 { return max(0, 1-w.allGained/max(w.allPending, 1)) }

// compare takes the middle week's rates against the mean of its neighbours'. A rate times the quintile's part s of the
// newly covered is a deviation of that part; with independent people its square is on average s(1-s)v. left is there
// because a person can come only once.
func compare(a, b, c *week) Scatter {
	if min(a.allGained, b.allGained, c.allGained) < leastPeople {
		return Scatter{}
	}
	v := b.left()/b.allGained + (a.left()/a.allGained+c.left()/c.allGained)/4
	all := a.allGained + b.allGained + c.allGained
	s := Scatter{Weeks: 1}
	for i := range b.gained {
		ra, rb, rc := a.relative(i), b.relative(i), c.relative(i)
		mean := (ra*a.allGained + rb*b.allGained + rc*c.allGained) / all
		part := (a.gained[i] + b.gained[i] + c.gained[i]) / all
		if mean == 0 || v <= 0 {
			continue
		}
		e := part * (rb - (ra+rc)/2) / mean
		s.Square += e * e / (part * v)
		s.Freedom += 1 - part
	}
	return s
}
