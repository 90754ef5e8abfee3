// Package disclosure decides which counts may be shown. It is pure: exact counts in, figures that may be shown out.
//
// One idea carries it. The people of a programme are cut into parts: place x system x quintile, and beside it PCN x
// quintile. The figure of a part depends on the count of that part and on nothing else ([Mode.Cell]), and every larger
// figure is the sum of the figures of its parts ([Sum]), never of their counts. So totals, places, systems, regions,
// days, differences and vintages say nothing that the parts do not say, and a suppressed part keeps all seven values
// that it may have. The steps of the rule are the same for all, so "no more covered than eligible" and "no fewer
// tomorrow than today" do not narrow them either, and a share is never over 100 % unless the exact one is.
//
// What cuts the same people another way (neighbourhoods, ethnic groups, local fifths) would be an equation between two
// sets of figures. [Mode.Family] shows such a set only where that equation says nothing about a suppressed count.
//
// The rule is NHS Digital's for HES and ECDS since September 2018, as in its codonPython suppress_value: below national
// level 0 stays 0, 1 to 7 is suppressed, 8 and over goes to the nearest 5. Package attack tries to undo all this.
package disclosure

import (
	"fmt"

	"gapwatch/services/internal/inequality"
)

// Mode is the rule of a deployment.
type Mode uint8

const (
	// NHSEngland is the rule of the package comment, and the default.
	NHSEngland Mode = iota
	// None shows every count as it is: for a deployment that only people who may see the counts can read.
	None
)

// ParseMode reads "nhs-england" or "none". Any other text is an error: stop, since guessing could disclose.
func ParseMode(s string) (Mode, error) {
	switch s {
	case "nhs-england":
		return NHSEngland, nil
	case "none":
		return None, nil
	}
	return NHSEngland, fmt.Errorf("disclosure control %q is not known: nhs-england or none", s)
}

// String is the mode as ParseMode reads it.
func (m Mode) String() string {
	if m == None {
		return "none"
	}
	return "nhs-england"
}

// State says whether a figure may be shown and, where not, why.
type State uint8

const (
	// Shown means that Value is the figure.
	Shown State = iota
	// Suppressed means a count of 1 to 7; of covered people in a group of 12 or fewer eligible, any but 0; of a sum, one
	// whose parts do not show that it is 8 or more.
	Suppressed
	// NearlyAll means of covered people that 7 or fewer of the eligible, or nobody, are not covered.
	NearlyAll
	// Hidden means any count, 0 as well: it would help to work out another one.
	Hidden
)

// String is the state as it stands in the reporting views.
func (s State) String() string {
	switch s {
	case Shown:
		return "shown"
	case Suppressed:
		return "suppressed"
	case NearlyAll:
		return "nearly all"
	}
	return "hidden"
}

const (
	smallest = 8 // the smallest count that is shown
	base     = 5 // what shown counts are rounded to
	// stand is what a suppressed part counts for in a sum: 1 to 7 becomes 5, as in NHS Digital's
	// central_suppression_method. Being between 0 and 10 it keeps sums from falling when a part grows. It is also what
	// the people not covered count for where nearly all are.
	stand = 5
	// tiny is what 8 to 12 eligible people are shown as.
	tiny = 10
	// limit is the greatest count that suppress_value takes. More people than that is no count of people.
	limit = 100_000_000
)

// Figure is what may be known of one count of people.
type Figure struct {
	State State
	Value uint64 // people; 0 unless Shown

	part      uint64 // what it adds to a sum
	low, high uint64 // the counts that it may stand for
}

// Range is the smallest and the greatest count that the figure can stand for, as a reader of it can tell. For a hidden
// figure it is what its parts allow and means nothing to a reader.
func (f Figure) Range() (low, high uint64) { return f.low, f.high }

// Figure is the figure of one count. A count over 100 million is hidden: it cannot be one.
func (m Mode) Figure(n uint64) Figure {
	switch {
	case m == None, n == 0:
		return Figure{Value: n, part: n, low: n, high: n}
	case n > limit:
		return Figure{State: Hidden, high: n}
	case n < smallest:
		return Figure{State: Suppressed, part: stand, low: 1, high: smallest - 1}
	}
	v := (n + base/2) / base * base
	return Figure{Value: v, part: v, low: max(v-base/2, smallest), high: v + base/2}
}

// Cell is what may be known of one group of people.
type Cell struct {
	Covered, Eligible Figure
}

// Cell is the figures of one part: a group of people that no published figure cuts further within its family. They
// depend on the part's own count only.
//
// Few people who are not covered are as much a small number as few who are. They would follow from covered and eligible,
// however these are rounded, for somebody who has the exact eligible from elsewhere. So where 8 or more are covered and
// 7 or fewer are not, covered is not shown but said to be [NearlyAll]. Of 8 to 12 eligible that would leave hardly a
// choice: there anything but 0 is suppressed.
func (m Mode) Cell(exact inequality.Count) Cell {
	c := Cell{Covered: m.Figure(exact.Covered), Eligible: m.Figure(exact.Eligible)}
	if m == None || exact.Covered == 0 || exact.Covered > exact.Eligible || c.Eligible.State != Shown {
		return c
	}
	e := c.Eligible
	switch {
	case e.Value == tiny:
		c.Covered = Figure{State: Suppressed, part: stand, low: 1, high: e.high}
	case exact.Covered >= smallest && exact.Covered+smallest > exact.Eligible:
		c.Covered = Figure{State: NearlyAll, part: e.part - stand, low: max(smallest, e.low-(smallest-1)), high: e.high}
	}
	return c
}

// Count is the figures as counts that measures can be computed from, false where one of the two is not shown.
func (c Cell) Count() (inequality.Count, bool) {
	if c.Covered.State != Shown || c.Eligible.State != Shown {
		return inequality.Count{}, false
	}
	return inequality.Count{Covered: c.Covered.Value, Eligible: c.Eligible.Value}, true
}

// Quintiles are the counts that the measures of a geography are computed from. ok[i] is false where quintile i+1 is not
// shown: its count is then 0 of 0 and no measure that needs it may be computed. Quintile 0 (unknown) enters no measure.
func Quintiles(cells [5]Cell) (q inequality.Quintiles, ok [5]bool) {
	for i, c := range cells {
		q[i], ok[i] = c.Count()
	}
	return q, ok
}
