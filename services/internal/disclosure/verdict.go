package disclosure

import "gapwatch/services/internal/inequality"

// coarse is the number of eligible people from which on one small part of a quintile (up to 7 people) moves its uptake
// by less than a tenth of the last digit shown (0.1 point).
const coarse = 7 * 10_000

// Withheld tells whether the figures of a verdict and its sentence, which are exact to 0.1 point, may not be shown. used
// are the exact counts of the quintiles that they are computed from: the first and the fifth for the gap, all five for
// the SII; both days' for a change. parts are the exact counts that these quintiles are the sum of: the same quintiles of each
// place of a system; none for a place within one system. The verdict itself (widening, narrowing, ...) may always be shown.
//
// They are withheld where a quintile used would not be shown as a part: 1 to 7 covered or 7 or fewer not covered or, so
// that nobody learns how many a tiny group has, fewer than 13 eligible. And where such a part is in a quintile that is
// not large, since the figures of a system and of all its places but one tell the figures of that one.
func (m Mode) Withheld(used, parts []inequality.Count) bool {
	if m == None {
		return false
	}
	large := true
	for _, n := range used {
		if m.few(n) {
			return true
		}
		large = large && n.Eligible >= coarse
	}
	if large {
		return false
	}
	for _, n := range parts {
		if m.few(n) {
			return true
		}
	}
	return false
}

// few tells whether a group has a small number.
func (m Mode) few(n inequality.Count) bool {
	c := m.Cell(n)
	return c.Covered.State != Shown || c.Eligible.State != Shown || c.Eligible.Value == tiny
}
