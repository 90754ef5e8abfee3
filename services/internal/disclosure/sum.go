package disclosure

import "gapwatch/services/internal/inequality"

// Sum adds up cells: quintiles to a total, places to a system, a region or England. The zero value is an empty sum.
// Small parts are in it with what stands for them, so it may be off by up to 7 people for each part that is not shown
// and 2 for each other one. It never falls while no part does, and never shows 1 to 7.
//
// Parts with fewer than 8 eligible are in neither covered nor eligible: there is nothing to say about their share.
type Sum struct {
	covered, eligible total
	parts, left       int
}

// total is a running figure.
type total struct{ part, low, high uint64 }

func (t *total) add(f Figure) {
	t.part += f.part
	t.low += f.low
	t.high += f.high
}

// figure shows a total when its parts show that it is 0 or at least 8, or when all are exact.
func (t total) figure() Figure {
	f := Figure{part: t.part, low: t.low, high: t.high}
	if t.low == t.high || t.low >= smallest {
		f.Value = t.part
	} else {
		f.State = Suppressed
	}
	return f
}

// Add adds a part. One of which the eligible people are not shown is left out.
func (s *Sum) Add(c Cell) {
	s.parts++
	if c.Covered.State == Hidden || c.Eligible.State != Shown {
		s.left++
		return
	}
	s.covered.add(c.Covered)
	s.eligible.add(c.Eligible)
}

// Left is how many parts were left out.
func (s *Sum) Left() int { return s.left }

// Cell is the sum of what was added; hidden when all parts were left out.
func (s *Sum) Cell() Cell {
	if s.parts > 0 && s.left == s.parts {
		return hidden
	}
	return Cell{Covered: s.covered.figure(), Eligible: s.eligible.figure()}
}

var hidden = Cell{Covered: Figure{State: Hidden}, Eligible: Figure{State: Hidden}}

// Total is the sum of the cells.
func Total(cells ...Cell) Cell {
	var s Sum
	for _, c := range cells {
		s.Add(c)
	}
	return s.Cell()
}

// National is the cell of England. parts are the cells of everything that it is the sum of, down to the places.
//
// The rule has no control at national level. But an exact count beside the parts gives them back: one late record that
// moves England by 1 and one place from 0 to suppressed says that this place has 1. So England is exact on the days on
// which every part is shown, and where the exact count leaves every part its whole range; on the others it is the sum of
// the parts like every other level.
func (m Mode) National(exact inequality.Count, parts []Cell) Cell {
	var s Sum
	safe := true
	for _, c := range parts {
		s.Add(c)
		safe = safe && c.Covered.State == Shown && c.Eligible.State == Shown
	}
	if m == None || safe && s.covered.covers(exact.Covered) && s.eligible.covers(exact.Eligible) {
		return None.Cell(exact)
	}
	return s.Cell()
}

// covers tells whether knowing that the parts add up to n leaves each of them its whole range.
func (t total) covers(n uint64) bool {
	const width = base - 1
	return n >= t.low+width && n+width <= t.high || n == t.low && n == t.high
}
