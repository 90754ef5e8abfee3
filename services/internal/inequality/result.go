package inequality

import (
	"strconv"
	"strings"
)

// Estimate is a value with its interval.
type Estimate struct {
	Value     float64
	Low, High float64 // limits of the interval, 95 % unless said otherwise; Low <= High
}

// Result is something that was computed, or why it was not. Its zero value was not computed, for no reason.
type Result[T any] struct {
	value    T
	why      NotComputed
	computed bool
}

// Measure is a measure that was computed, or why it was not.
type Measure = Result[Estimate]

// People is a number of people that was computed, or why it was not.
type People = Result[uint64]

// Get is the value; false, with a zero value that means nothing, if it was not computed.
func (r Result[T]) Get() (T, bool) { return r.value, r.computed }

// NotComputed says why the value was not computed. It says nothing if it was.
func (r Result[T]) NotComputed() NotComputed { return r.why }

func computed[T any](value T) Result[T] { return Result[T]{value: value, computed: true} }

func notComputed[T any](why NotComputed) Result[T] { return Result[T]{why: why} }

// Rule is a rule that the counts of a quintile break.
type Rule uint8

// The rules. Of several that a quintile breaks the first counts.
const (
	// NoneBroken means that every measure can be computed as far as this quintile goes.
	NoneBroken Rule = iota
	// OverCovered is more people covered than eligible: one of the two counts is wrong, so no measure uses the quintile.
	OverCovered
	// NobodyEligible is no eligible people, or no figures at all: no measure uses the quintile.
	NobodyEligible
	// BelowFloor is fewer eligible people than the programme's floor: no measure uses the quintile.
	BelowFloor
	// NobodyCovered leaves no logit and no logarithm of the share. Gap, linear SII and people short are computed.
	NobodyCovered
	// EverybodyCovered leaves no logit of the share and no variance in Katz's interval. Gap, linear SII, linear RII and
	// people short are computed.
	EverybodyCovered
)

// NotComputed says why a measure was not computed: which rule which quintile breaks. Measures that were computed have
// the zero value.
type NotComputed struct {
	Quintiles [5]Rule // of the quintiles that the measure uses; index 0 is quintile 1
	Floor     uint64  // the floor, where a quintile is below it
	// LowEnd is of the linear RII: the fitted line is not clearly above 0 at its lower end, so that there is nothing to
	// divide by. See [Measures].
	LowEnd bool
	// NoRoom is of the biggest win: everybody is covered in every quintile that can be used.
	NoRoom bool
	// Alone is of people short to the best quintile: there is no other quintile that can be used.
	Alone bool
}

// String is the reason in words, such as "quintile 1: fewer than 100 eligible; quintiles 2 and 3: nobody covered". It
// repeats no count of people.
func (n NotComputed) String() string {
	var parts []string
	for rule := OverCovered; rule <= EverybodyCovered; rule++ {
		var at []string
		for i, broken := range n.Quintiles {
			if broken == rule {
				at = append(at, strconv.Itoa(i+1))
			}
		}
		switch last := len(at) - 1; {
		case last == 0:
			parts = append(parts, "quintile "+at[0]+": "+n.words(rule))
		case last > 0:
			parts = append(parts, "quintiles "+strings.Join(at[:last], ", ")+" and "+at[last]+": "+n.words(rule))
		}
	}
	if n.LowEnd {
		parts = append(parts, "the fitted line is not clearly above 0 at its lower end")
	}
	if n.NoRoom {
		parts = append(parts, "nobody is left to be covered")
	}
	if n.Alone {
		parts = append(parts, "no other quintile can be used")
	}
	return strings.Join(parts, "; ")
}

func (n NotComputed) words(r Rule) string {
	switch r {
	case OverCovered:
		return "more covered than eligible"
	case NobodyEligible:
		return "no eligible people known"
	case BelowFloor:
		return "fewer than " + strconv.FormatUint(n.Floor, 10) + " eligible"
	case NobodyCovered:
		return "nobody covered"
	case EverybodyCovered:
		return "everybody covered"
	default:
		return ""
	}
}

// broken is the rule that a count breaks.
func broken(c Count, floor uint64) Rule {
	switch {
	case c.Covered > c.Eligible:
		return OverCovered
	case c.Eligible == 0:
		return NobodyEligible
	case c.Eligible < floor:
		return BelowFloor
	case c.Covered == 0:
		return NobodyCovered
	case c.Covered == c.Eligible:
		return EverybodyCovered
	default:
		return NoneBroken
	}
}

// usable means that the share of the quintile, and what is computed from it on its natural scale, is sound.
func (r Rule) usable() bool { return r == NoneBroken || r == NobodyCovered || r == EverybodyCovered }

// rules are the rules that five quintiles break.
type rules struct {
	of    [5]Rule
	floor uint64
}

func rulesOf(q *Quintiles, floor uint64) rules {
	r := rules{floor: floor}
	for i, c := range q {
		r.of[i] = broken(c, floor)
	}
	return r
}

const (
	ends       = 1<<0 | 1<<4
	everywhere = 1<<5 - 1
)

// unfit says which of the quintiles in the set (bit 0 is quintile 1) keep a measure from being computed: those that are
// not usable and, with strict, those in which nobody or everybody is covered. It is false if none does.
func (r rules) unfit(set uint8, strict bool) (NotComputed, bool) {
	var n NotComputed
	found := false
	for i, rule := range r.of {
		if set>>i&1 == 0 || rule == NoneBroken || rule.usable() && !strict {
			continue
		}
		n.Quintiles[i] = rule
		found = true
		if rule == BelowFloor {
			n.Floor = r.floor
		}
	}
	return n, found
}
