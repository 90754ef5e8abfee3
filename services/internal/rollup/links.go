package rollup

import (
	"encoding/binary"
	"iter"

	"gapwatch/services/internal/event"
)

// links are the pseudonyms that are known to be one person (data.personPrevious), and since when. A previous key is kept for
// years (deploy/PRIVACY.md), so in time nearly everybody has one: 130 to 180 bytes a linked person are held in memory for good.
type links struct {
	all   []link
	next  [][2]uint32 // for both ends of a link, one more than the place of another link with half of that pseudonym; 0 = none
	first numbers     // such a place, by that half
}

// half of a pseudonym, which hardly any other has.
func half(person event.Pseudonym) uint64 { return binary.LittleEndian.Uint64(person[:]) }

// of are the links of a pseudonym.
func (ls *links) of(person event.Pseudonym) iter.Seq[*link] {
	return func(yield func(*link) bool) {
		for at, _ := ls.first.get(half(person)); at != 0; {
			l, end := &ls.all[at-1], 0
			if half(l.a) != half(person) {
				end = 1
			}
			if (l.a == person || l.b == person) && !yield(l) {
				return
			}
			at = ls.next[at-1][end]
		}
	}
}

// any tells whether a pseudonym is linked.
func (ls *links) any(person event.Pseudonym) bool {
	if len(ls.all) == 0 {
		return false // as it mostly is, and everybody is asked for
	}
	for range ls.of(person) {
		return true
	}
	return false
}

// find is a link, nil if it is not known.
func (ls *links) find(a, b event.Pseudonym) *link {
	for l := range ls.of(a) {
		if l.a == a && l.b == b {
			return l
		}
	}
	return nil
}

// add takes a link in; of several reports of one link the first counts.
func (ls *links) add(a, b event.Pseudonym, at Position) {
	if l := ls.find(a, b); l != nil {
		if l.at.After(at) {
			l.at = at
		}
		return
	}
	ls.all, ls.next = append(ls.all, link{a, b, at}), append(ls.next, [2]uint32{})
	for end, person := range [2]event.Pseudonym{a, b} {
		if end == 1 && half(a) == half(b) {
			break // it is found already
		}
		last := len(ls.all)
		ls.next[last-1][end], _ = ls.first.get(half(person))
		ls.first.set(half(person), uint32(last))
	}
}

// cluster is a pseudonym and all that it is linked with, directly or through others, and the links among them.
func (ls *links) cluster(person event.Pseudonym) (people []event.Pseudonym, among []link) {
	people = []event.Pseudonym{person}
	if !ls.any(person) {
		return people, nil
	}
	seen := map[event.Pseudonym]bool{person: true}
	taken := map[[2]event.Pseudonym]bool{}
	for i := 0; i < len(people); i++ {
		for l := range ls.of(people[i]) {
			if pair := [2]event.Pseudonym{l.a, l.b}; !taken[pair] {
				taken[pair] = true
				among = append(among, *l)
			}
			for _, end := range [2]event.Pseudonym{l.a, l.b} {
				if !seen[end] {
					seen[end] = true
					people = append(people, end)
				}
			}
		}
	}
	return people, among
}

// newSince tells whether a link became known after a position.
func (ls *links) newSince(a, b event.Pseudonym, from Position) bool {
	l := ls.find(a, b)
	return l == nil || l.at.After(from)
}
