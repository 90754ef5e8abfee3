// Package attack works out counts that disclosure control has suppressed, for tests: everything published goes in as
// constraints over unknown whole numbers, and out come the values that each of them can still have. It knows sums,
// differences, order (in time, in vintages, covered within eligible) and gaps in percentage points.
//
// It is sound: it never rules out a value that the constraints allow. So where it finds fewer than three values there
// are no more, and a test that fails on that is right. It finds what bounds propagation finds after each value has been
// tried in turn, which is more than a reader does with a spreadsheet and less than every solution of the whole system.
package attack

import (
	"fmt"
	"math"
)

// Unknown is a count that an attacker looks for, or one that helps to find it. It is got from [Attack.Unknown].
type Unknown int32

// Any is a high end for an unknown of which nothing is known.
const Any = math.MaxInt32

// Attack is a set of unknowns and of what is known about them. The zero value is empty. Not for use by several
// goroutines at once.
type Attack struct {
	low, high []int64
	names     []string
	about     [][]int32 // constraints on each unknown
	known     []constraint
	waiting   []int32
	queued    []bool
	trail     []bound // bounds before they were narrowed, while a value is tried
	trying    bool
}

type bound struct {
	of        Unknown
	low, high int64
}

type constraint interface {
	unknowns() []Unknown
	// narrow narrows the bounds of its unknowns, false when no values satisfy it.
	narrow(a *Attack) bool
}

// Unknown adds an unknown that lies in low to high, both included. The name is for messages.
func (a *Attack) Unknown(name string, low, high int64) Unknown {
	u := Unknown(len(a.low))
	a.low, a.high, a.names = append(a.low, low), append(a.high, high), append(a.names, name)
	a.about = append(a.about, nil)
	return u
}

// Shown adds an unknown that was published as v under the nhs-england rule: 0 is 0, the rest is at least 8 and within 2.
func (a *Attack) Shown(name string, v int64) Unknown {
	if v == 0 {
		return a.Unknown(name, 0, 0)
	}
	return a.Unknown(name, max(v-2, 8), v+2)
}

// Suppressed adds an unknown that was published as suppressed under the nhs-england rule: 1 to 7.
func (a *Attack) Suppressed(name string) Unknown { return a.Unknown(name, 1, 7) }

// Name is the name that an unknown was added under.
func (a *Attack) Name(u Unknown) string { return a.names[u] }

// Sum says that the parts add up to total.
func (a *Attack) Sum(total Unknown, parts ...Unknown) {
	of, by := []Unknown{total}, []int64{-1}
	for _, p := range parts {
		of, by = append(of, p), append(by, 1)
	}
	a.Linear(0, 0, of, by)
}

// Between says that the parts add up to something in low to high.
func (a *Attack) Between(low, high int64, parts ...Unknown) {
	by := make([]int64, len(parts))
	for i := range by {
		by[i] = 1
	}
	a.Linear(low, high, parts, by)
}

// NoMore says that less <= more: a cumulative count earlier and later, covered and eligible.
func (a *Attack) NoMore(less, more Unknown) {
	a.Linear(0, Any, []Unknown{more, less}, []int64{1, -1})
}

// Linear says that low <= sum of by[i] * of[i] <= high. Low may be -Any, high Any.
func (a *Attack) Linear(low, high int64, of []Unknown, by []int64) {
	if len(of) != len(by) {
		panic(fmt.Sprintf("attack: %d unknowns with %d factors", len(of), len(by)))
	}
	a.add(&linear{of: append([]Unknown(nil), of...), by: append([]int64(nil), by...), low: low, high: high})
}

// Gap is a published gap and the covered people that it is between.
type Gap struct {
	Points      float64 // percentage points, best minus worst
	Worst, Best Unknown // covered people
}

// Gaps says that each gap, best/ofBest - worst/ofWorst in percentage points, is within half of its points: 0.05 where
// gaps are given to 0.1 point. The eligible people are the same for all of them, which is what makes many gaps tell more
// than one: give those of one place on many days together.
func (a *Attack) Gaps(half float64, ofWorst, ofBest Unknown, of ...Gap) {
	g := &gaps{half: half/100 + 1e-9, points: make([]float64, len(of))} // floating point must not rule out what was published
	g.of = []Unknown{ofWorst, ofBest}
	for i, x := range of {
		g.points[i] = x.Points / 100
		g.of = append(g.of, x.Worst, x.Best)
	}
	a.add(g)
}

func (a *Attack) add(c constraint) {
	i := int32(len(a.known))
	a.known = append(a.known, c)
	for _, u := range c.unknowns() {
		a.about[u] = append(a.about[u], i)
	}
	a.queued = append(a.queued, true)
	a.waiting = append(a.waiting, i)
}

// Solve narrows the bounds until nothing narrows any more. An error says that the constraints contradict each other: the
// model is wrong, since what was published has a truth behind it.
func (a *Attack) Solve() error {
	for len(a.waiting) > 0 {
		i := a.waiting[len(a.waiting)-1]
		a.waiting, a.queued[i] = a.waiting[:len(a.waiting)-1], false
		if !a.known[i].narrow(a) {
			return fmt.Errorf("nothing satisfies constraint %d, on %s and others", i, a.names[a.known[i].unknowns()[0]])
		}
	}
	return nil
}

// Range is the bounds of an unknown, as far as Solve has got.
func (a *Attack) Range(u Unknown) (low, high int64) { return a.low[u], a.high[u] }

// Values is the values that an unknown can have, each tried, in order; after Solve. It stops when it has found enough.
func (a *Attack) Values(u Unknown, enough int) []int64 {
	var found []int64
	for v := a.low[u]; v <= a.high[u] && len(found) < enough; v++ {
		if a.can(u, v) {
			found = append(found, v)
		}
	}
	return found
}

// can tells whether nothing speaks against a value.
func (a *Attack) can(u Unknown, v int64) bool {
	a.trying = true
	ok := a.set(u, v, v) && a.Solve() == nil
	for _, i := range a.waiting {
		a.queued[i] = false
	}
	a.waiting = a.waiting[:0]
	for i := len(a.trail) - 1; i >= 0; i-- {
		b := a.trail[i]
		a.low[b.of], a.high[b.of] = b.low, b.high
	}
	a.trail, a.trying = a.trail[:0], false
	return ok
}

// set narrows an unknown to low to high, false when nothing is left of it.
func (a *Attack) set(u Unknown, low, high int64) bool {
	low, high = max(low, a.low[u]), min(high, a.high[u])
	if low == a.low[u] && high == a.high[u] {
		return true
	}
	if low > high {
		return false
	}
	if a.trying {
		a.trail = append(a.trail, bound{u, a.low[u], a.high[u]})
	}
	a.low[u], a.high[u] = low, high
	for _, i := range a.about[u] {
		if !a.queued[i] {
			a.queued[i] = true
			a.waiting = append(a.waiting, i)
		}
	}
	return true
}

type linear struct {
	of        []Unknown
	by        []int64
	low, high int64
}

func (l *linear) unknowns() []Unknown { return l.of }

func (l *linear) narrow(a *Attack) bool {
	var least, most int64
	for i, u := range l.of {
		lo, hi := times(l.by[i], a.low[u], a.high[u])
		least, most = least+lo, most+hi
	}
	if l.low > -Any && most < l.low || l.high < Any && least > l.high {
		return false
	}
	for i, u := range l.of {
		lo, hi := times(l.by[i], a.low[u], a.high[u])
		from, to := lo, hi
		if l.low > -Any {
			from = max(lo, l.low-(most-hi))
		}
		if l.high < Any {
			to = min(hi, l.high-(least-lo))
		}
		if from == lo && to == hi {
			continue
		}
		if from > to {
			return false
		}
		low, high := over(l.by[i], from, to)
		if !a.set(u, low, high) {
			return false
		}
		// The sums are of the bounds now, so that what follows uses what was found.
		newLo, newHi := times(l.by[i], a.low[u], a.high[u])
		least, most = least-lo+newLo, most-hi+newHi
	}
	return true
}

// times is the least and the most of by * x for x in low to high.
func times(by, low, high int64) (int64, int64) {
	if by < 0 {
		return by * high, by * low
	}
	return by * low, by * high
}

// over is the whole x with from <= by * x <= to.
func over(by, from, to int64) (low, high int64) {
	if by < 0 {
		by, from, to = -by, -to, -from
	}
	return -floor(-from, by), floor(to, by)
}

func floor(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// gaps is of ofWorst, ofBest, and of worst and best for each gap.
type gaps struct {
	of     []Unknown
	points []float64
	half   float64
}

func (g *gaps) unknowns() []Unknown { return g.of }

// few is how many combinations of values are looked at one by one.
const few = 1 << 12

// narrow tries every pair of eligible counts: each gap must allow it. What no pair allows goes.
func (g *gaps) narrow(a *Attack) bool {
	low, high := make([]int64, len(g.of)), make([]int64, len(g.of))
	for i := range low {
		low[i], high[i] = math.MaxInt64, math.MinInt64
	}
	e1lo, e1hi := max(a.low[g.of[0]], 1), a.high[g.of[0]] // a share of nobody is not published
	e5lo, e5hi := max(a.low[g.of[1]], 1), a.high[g.of[1]]
	if e1hi-e1lo >= few || e5hi-e5lo >= few || (e1hi-e1lo+1)*(e5hi-e5lo+1) > few {
		return true // too wide to say anything
	}
	for _, u := range g.of[2:] {
		if a.high[u]-a.low[u] >= few {
			return true
		}
	}
	from, to := make([]int64, len(g.of)), make([]int64, len(g.of))
	for e1 := e1lo; e1 <= e1hi; e1++ {
		for e5 := e5lo; e5 <= e5hi; e5++ {
			from[0], to[0], from[1], to[1] = e1, e1, e5, e5
			if !g.pair(a, e1, e5, from, to) {
				continue
			}
			for i := range low {
				low[i], high[i] = min(low[i], from[i]), max(high[i], to[i])
			}
		}
	}
	for i, u := range g.of {
		if low[i] > high[i] || !a.set(u, low[i], high[i]) {
			return false
		}
	}
	return true
}

// pair finds the covered counts that go with a pair of eligible counts, false when a gap allows none.
func (g *gaps) pair(a *Attack, e1, e5 int64, from, to []int64) bool {
	for i, points := range g.points {
		at := 2 + 2*i
		worst, best := g.of[at], g.of[at+1]
		from[at], to[at], from[at+1], to[at+1] = math.MaxInt64, math.MinInt64, math.MaxInt64, math.MinInt64
		for c1 := a.low[worst]; c1 <= a.high[worst]; c1++ {
			share := float64(c1)/float64(e1) + points
			c5lo := max(a.low[best], int64(math.Ceil((share-g.half)*float64(e5))))
			c5hi := min(a.high[best], int64(math.Floor((share+g.half)*float64(e5))))
			if c5lo > c5hi {
				continue
			}
			from[at], to[at] = min(from[at], c1), max(to[at], c1)
			from[at+1], to[at+1] = min(from[at+1], c5lo), max(to[at+1], c5hi)
		}
		if from[at] > to[at] {
			return false
		}
	}
	return true
}
