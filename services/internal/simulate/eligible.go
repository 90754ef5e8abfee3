package simulate

import (
	"cmp"
	"slices"
)

// Eligible is how many people must be eligible in each cell, as Newly, from the cell's day on until the season's next
// such day. A denominator that names no practice or no ethnic category has no cells at that level.
func (h *History) Eligible() *Truth {
	people := map[uint64]uint32{}
	for _, e := range h.eligible {
		for level := range levels {
			if level == 1 && e.group.practice == noPractice || level == 2 && e.group.ethnicity == 0 {
				continue
			}
			people[h.land.key(e.programme, e.season, level, e.group, e.from, 0)>>countBits] += e.people
		}
	}
	t := &Truth{set: h.set, land: h.land, rows: make([]row, 0, len(people))}
	for key, n := range people {
		t.rows = append(t.rows, row{key: key, counts: [4]uint32{newly: n}})
	}
	slices.SortFunc(t.rows, func(a, b row) int { return cmp.Compare(a.key, b.key) })
	return t
}
