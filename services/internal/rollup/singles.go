package rollup

import (
	"slices"

	"gapwatch/services/internal/uptake"
)

// singles counts the people of one record. They are most people, and most of their records are of a few kinds, but for the
// group: the rules are asked once for each kind. People wait here until there are many, and are then counted area by area:
// in the order they come in nearly every count would be somewhere else in memory. What changes for others, one group at a
// time, waits with them.
type singles struct {
	counted *tally
	numbers numbers // of the kinds
	others  numbers // of the kinds that change makes
	changes [][]numbered
	waiting []uint64 // LSOA, practice and kind, of 20, 20 and 16 bits, and ethnic category
	spare   []uint64
}

// waitingPeople is how many people wait at most.
const waitingPeople = 1 << 20

func newSingles(counted *tally) *singles {
	return &singles{counted: counted}
}

// kind is what decides how a person of one record counts, whatever the group. rules is called where it is new.
func (s *singles) kind(p *portion, row uint32, rules func() []uptake.Change) (uint32, error) {
	key := uint64(p.season[row])<<48 | uint64(p.status[row])<<40 | uint64(p.dose[row])<<32 | uint64(uint32(p.day[row]))
	kind, known := s.numbers.get(key)
	if known {
		return kind, nil
	}
	var changes []numbered
	for _, ch := range rules() {
		n, err := s.counted.numbered(&ch)
		if err != nil {
			return 0, err
		}
		changes = append(changes, n)
	}
	kind = uint32(len(s.changes))
	s.changes = append(s.changes, changes)
	s.numbers.set(key, kind)
	return kind, nil
}

// change counts one change of somebody of several records, now or later.
func (s *singles) change(n numbered, from, to group) {
	if n.kind == uptake.Moved {
		s.counted.count(n, from, to)
		return
	}
	key := uint64(n.season)<<40 | uint64(n.day)<<8 | uint64(n.kind)
	kind, known := s.others.get(key)
	if !known {
		kind = uint32(len(s.changes))
		s.changes = append(s.changes, []numbered{n})
		s.others.set(key, kind)
	}
	if n.kind == uptake.Lapsed {
		to = from
	}
	s.add(kind, to)
}

// add counts a person, now or later.
func (s *singles) add(kind uint32, g group) {
	if kind >= 1<<16 || g.lsoa >= 1<<20 || g.practice >= 1<<20 {
		s.count(kind, g)
		return
	}
	if len(s.waiting) == waitingPeople {
		s.flush()
	}
	s.waiting = append(s.waiting, uint64(g.lsoa)<<44|uint64(g.practice)<<24|uint64(kind)<<8|uint64(g.ethnicity))
}

func (s *singles) count(kind uint32, g group) {
	for _, n := range s.changes[kind] {
		s.counted.count(n, g, g)
	}
}

// flush counts those who wait.
func (s *singles) flush() {
	const areas = 1 << 15 // of 32 LSOAs: their numbers are in the order of their places
	var starts [areas + 1]uint32
	s.spare = slices.Grow(s.spare[:0], len(s.waiting))[:len(s.waiting)]
	area := func(person uint64) uint64 { return person >> 49 }
	for _, person := range s.waiting {
		starts[area(person)+1]++
	}
	for i := range starts[1:] {
		starts[i+1] += starts[i]
	}
	for _, person := range s.waiting {
		at := &starts[area(person)]
		s.spare[*at] = person
		*at++
	}
	for _, person := range s.spare {
		s.count(uint32(person>>8&(1<<16-1)), group{uint32(person >> 44), uint32(person >> 24 & (1<<20 - 1)), uint8(person)})
	}
	s.waiting = s.waiting[:0]
}
