package inequality

import (
	"math"
	"math/bits"
)

// ShortToBest is how many more people of each quintile would have to be covered for it to reach the uptake of the best
// quintile: the smallest whole number that is enough, 0 for the best itself. The best is the one with the highest uptake
// among those that have at least floor eligible people and not more covered than eligible; the others are not computed,
// and nothing is where there is only one. It has no interval: it says what the counts need, not what they are a sample of.
//
// Summed over the quintiles and divided by all eligible people it is the population attributable risk, and the weighted
// mean difference from best, of the WHO Health Equity Assessment Toolkit (but for the rounding up).
func ShortToBest(q Quintiles, floor uint64) [5]People { return shortToBest(&q, rulesOf(&q, floor)) }

func shortToBest(q *Quintiles, r rules) [5]People {
	var short [5]People
	best, usable := -1, 0
	for i, c := range q {
		if !r.of[i].usable() {
			continue
		}
		usable++
		if best < 0 || higher(c, q[best]) {
			best = i
		}
	}
	for i, c := range q {
		if why, unfit := r.unfit(1<<i, false); unfit {
			short[i] = notComputed[uint64](why)
		} else if usable == 1 {
			short[i] = notComputed[uint64](NotComputed{Alone: true})
		} else {
			short[i] = computed(shortTo(c, q[best]))
		}
	}
	return short
}

// higher means that the uptake of a is higher than that of b, without rounding.
func higher(a, b Count) bool {
	ah, al := bits.Mul64(a.Covered, b.Eligible)
	bh, bl := bits.Mul64(b.Covered, a.Eligible)
	return ah > bh || ah == bh && al > bl
}

// shortTo is how many more people a group needs for the uptake of the best one, whose uptake is at most 1 and not lower.
func shortTo(c, best Count) uint64 {
	high, low := bits.Mul64(best.Covered, c.Eligible)
	need, rest := bits.Div64(high, low, best.Eligible) // fits: it is at most c.Eligible
	if rest > 0 {
		need++
	}
	return need - c.Covered
}

func shortAll(short *[5]People, r rules) People {
	if why, unfit := r.unfit(everywhere, false); unfit {
		return notComputed[uint64](why)
	}
	sum := uint64(0)
	for _, s := range short {
		people, _ := s.Get()
		sum += people
	}
	return computed(sum)
}

// ShortToTarget is how many more people of each quintile would have to be covered for it to reach the target, which is a
// share of the eligible as a fraction of 1: the smallest whole number that is enough, 0 where it is reached. A quintile
// with fewer eligible people than the floor, or more covered than eligible, is not computed.
func ShortToTarget(q Quintiles, target float64, floor uint64) [5]People {
	r := rulesOf(&q, floor)
	var short [5]People
	for i, c := range q {
		if why, unfit := r.unfit(1<<i, false); unfit {
			short[i] = notComputed[uint64](why)
		} else {
			short[i] = computed(ShortTo(c, target))
		}
	}
	return short
}

// ShortTo is how many more people of a group would have to be covered for it to reach the target, a share of the eligible
// as a fraction of 1: the smallest whole number that is enough, 0 where it is reached or nobody is eligible. A target above
// 1 counts as 1, one that is not a number as 0.
func ShortTo(c Count, target float64) uint64 {
	if !(target > 0) || c.Covered >= c.Eligible {
		return 0
	}
	need := c.Eligible
	if target < 1 {
		// Targets such as 0.07 are not exact: 7 of 100 must be enough for it.
		need = min(need, uint64(math.Ceil(target*float64(c.Eligible)*(1-1e-12))))
	}
	return need - min(need, c.Covered)
}

// Win is what one percentage point of uptake is worth.
type Win struct {
	Quintile int    // 1 to 5
	People   uint64 // people who would have to be covered for it, rounded up
}

// BiggestWinOf is the quintile that would add most people if its uptake rose by one percentage point. A point is a
// hundredth of the eligible, so it is the largest quintile; one with less than a point of room adds only those who are
// left. Of equals it is the most deprived. "The middle is sometimes the bigger win" where quintile 3, say, has more
// eligible people than quintile 1: the same effort in points covers more people there. It says nothing about what a point
// costs, and a win outside quintile 1 does not narrow the gap.
//
// It is a statement about national fifths: local fifths are of the same size by their making, so that there the answer is
// near to chance. Quintiles with fewer eligible people than the floor, or none, are left out. It is not computed where one
// has more covered than eligible, where none can be used, or where nobody is left to be covered.
func BiggestWinOf(q Quintiles, floor uint64) Result[Win] { return biggestWin(&q, rulesOf(&q, floor)) }

func biggestWin(q *Quintiles, r rules) Result[Win] {
	var win Win
	most := 0.0 // people, without rounding
	usable, over := false, false
	for i, c := range q {
		over = over || r.of[i] == OverCovered
		if !r.of[i].usable() {
			continue
		}
		usable = true
		left := c.Eligible - c.Covered
		point := c.Eligible / 100
		if c.Eligible%100 > 0 {
			point++
		}
		if people := min(float64(c.Eligible)/100, float64(left)); people > most {
			most, win = people, Win{i + 1, min(point, left)}
		}
	}
	switch {
	case !usable || over:
		why, _ := r.unfit(everywhere, false)
		return notComputed[Win](why)
	case win.Quintile == 0:
		return notComputed[Win](NotComputed{NoRoom: true})
	default:
		return computed(win)
	}
}
