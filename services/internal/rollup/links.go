package rollup

import "gapwatch/services/internal/event"

// links are the pseudonyms that are known to be one person (data.personPrevious), and since when. There are none but
// around a key change, so they are held in memory: about 100 bytes a linked person.
type links map[event.Pseudonym][]link

// add takes a link in; of several reports of one link the first counts.
func (ls links) add(a, b event.Pseudonym, at Position) {
	for _, end := range [2]event.Pseudonym{a, b} {
		known := false
		for i := range ls[end] {
			l := &ls[end][i]
			if l.a == a && l.b == b {
				known = true
				if l.at.After(at) {
					l.at = at
				}
			}
		}
		if !known {
			ls[end] = append(ls[end], link{a, b, at})
		}
	}
}

// cluster is a pseudonym and all that it is linked with, directly or through others, and the links among them.
func (ls links) cluster(person event.Pseudonym) (people []event.Pseudonym, among []link) {
	people = []event.Pseudonym{person}
	if len(ls[person]) == 0 {
		return people, nil
	}
	seen := map[event.Pseudonym]bool{person: true}
	taken := map[[2]event.Pseudonym]bool{}
	for i := 0; i < len(people); i++ {
		for _, l := range ls[people[i]] {
			if pair := [2]event.Pseudonym{l.a, l.b}; !taken[pair] {
				taken[pair] = true
				among = append(among, l)
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
func (ls links) newSince(a, b event.Pseudonym, from Position) bool {
	for _, l := range ls[a] {
		if l.a == a && l.b == b {
			return l.at.After(from)
		}
	}
	return true
}
