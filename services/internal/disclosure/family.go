package disclosure

import "gapwatch/services/internal/inequality"

// Link says what a family has to do with the parts that it cuts in another way.
type Link uint8

const (
	// Open means that people of the parts may be in no member of the family and that these are never shown: ethnic
	// groups without the row of those whose group is not known. The members are at most the parts.
	Open Link = iota
	// Closed means that the members may be taken to add up to the parts: neighbourhoods of a place, local fifths.
	Closed
)

// margin is by how much the two sides of an equation must overlap for a small number to keep its whole range: 1 to 7
// covered, or 0 to 7 not covered; 8 values where it has more.
const margin = smallest - 1

// Family is the cells of a set of groups that cuts the people of parts in another way: the neighbourhoods of a place
// (parts: all its quintiles, 0 too), its local fifths (quintiles 1 to 5), the ethnic groups of one of its quintiles.
// All counts are of the same day and snapshot; parts are what [Mode.Cell] is given for the figures shown beside.
//
// The members are shown when that leaves every small number of members and parts its whole range, even to somebody who
// knows all eligible people and all parts that are shown exactly (as from verdicts). Otherwise all members are hidden,
// zeros too, and ok is false.
func (m Mode) Family(parts, members []inequality.Count, link Link) (cells []Cell, ok bool) {
	cells = make([]Cell, len(members))
	var covered, eligible sides
	for i, n := range members {
		cells[i] = m.Cell(n)
		covered.members.add(near(cells[i].Covered, n))
		covered.small = covered.small || cells[i].Covered.State != Shown
		eligible.members.add(cells[i].Eligible)
		eligible.small = eligible.small || cells[i].Eligible.State != Shown
	}
	for _, n := range parts {
		c := m.Cell(n)
		covered.parts.add(known(near(c.Covered, n), n.Covered))
		covered.small = covered.small || c.Covered.State != Shown
		eligible.parts.add(known(c.Eligible, n.Eligible))
		eligible.small = eligible.small || c.Eligible.State != Shown
	}
	if m != None && !(covered.apart(link) && eligible.apart(link)) {
		for i := range cells {
			cells[i] = hidden
		}
		return cells, false
	}
	return cells, true
}

// known is the figure to somebody who knows the count if it is shown.
func known(f Figure, n uint64) Figure {
	if f.State == Shown {
		f.low, f.high = n, n
	}
	return f
}

// near is the figure of covered people to somebody who knows the eligible people.
func near(f Figure, n inequality.Count) Figure {
	switch f.State {
	case NearlyAll:
		f.low, f.high = max(smallest, n.Eligible-(smallest-1)), n.Eligible
	case Suppressed:
		f.high = min(f.high, max(n.Eligible, n.Covered))
	}
	return f
}

// sides are the two ways of cutting the same people.
type sides struct {
	members, parts total
	small          bool // there is a small number to protect
}

// apart tells whether "members are at most the parts" (and, closed, at least) narrows no small number.
//
// With Open this holds for all days and vintages at once, not only for each: put every other member at the low end of
// its range and every other part at the high end. That satisfies every inequality and every order in time, whichever
// of its values the count in question has.
func (s sides) apart(link Link) bool {
	if !s.small {
		return true
	}
	return s.members.low+margin <= s.parts.high && (link == Open || s.members.high >= s.parts.low+margin)
}
