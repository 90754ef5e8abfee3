package rollup

import (
	"bytes"
	"slices"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/uptake"
)

// arrival is one version of a record together with whose it is and when it came in.
type arrival struct {
	person event.Pseudonym
	uptake.Record
	at Position
	// elsewhere: a version that another programme, or a person outside this history, holds. It only shows that the
	// record has gone there.
	elsewhere bool
}

// link says that two pseudonyms are one person, and since when that is known.
type link struct {
	a, b event.Pseudonym
	at   Position
}

// history is everything known of one person in one programme: usually one pseudonym's records, several where
// pseudonyms are linked. It can be looked at as of any position, because no version is ever forgotten
// (see the comment on prevention.events.earliest).
type history struct {
	programme *programme.Programme
	arrivals  []arrival
	links     []link
}

// counts are the cells that the person counts in, as of a position.
func (h *history) counts(at Position, ix ground) map[Cell]Counts {
	known := make([]arrival, 0, len(h.arrivals))
	for _, a := range h.arrivals {
		if !a.at.After(at) {
			known = append(known, a)
		}
	}
	slices.SortFunc(known, func(a, b arrival) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	newest := known[:0]
	for _, a := range known {
		if last := len(newest) - 1; last < 0 || newest[last].ID != a.ID {
			newest = append(newest, a)
		} else if newest[last].Version.Less(a.Version) {
			newest[last] = a
		}
	}
	people := map[event.Pseudonym][]uptake.Record{}
	for _, a := range newest {
		if !a.elsewhere {
			who := h.canonical(a.person, at)
			people[who] = append(people[who], a.Record)
		}
	}
	counts := map[Cell]Counts{}
	for _, records := range people {
		for _, ch := range uptake.Changes(nil, h.programme, records, located(ix)) {
			eachCount(ix, ch, func(c Cell, n Counts) { counts[c] = counts[c].plus(n, 1) })
		}
	}
	return counts
}

// canonical is one pseudonym that stands for all that were linked by then: the least of them.
func (h *history) canonical(person event.Pseudonym, at Position) event.Pseudonym {
	if len(h.links) == 0 {
		return person
	}
	reached := []event.Pseudonym{person}
	for i := 0; i < len(reached); i++ {
		for _, l := range h.links {
			if l.at.After(at) {
				continue
			}
			for _, pair := range [2][2]event.Pseudonym{{l.a, l.b}, {l.b, l.a}} {
				if pair[0] == reached[i] && !slices.Contains(reached, pair[1]) {
					reached = append(reached, pair[1])
				}
			}
		}
	}
	return slices.MinFunc(reached, func(a, b event.Pseudonym) int { return bytes.Compare(a[:], b[:]) })
}

// located tells the counting rules whether the look-ups know an LSOA.
func located(ix ground) func(string) bool {
	return func(lsoa string) bool { return lsoa != "" && ix.Find(lsoa) != area.Area{} }
}

// stops are the positions after one, up to another, at which something became known of the person.
func (h *history) stops(from, to Position) []Position {
	stops := []Position{}
	for _, a := range h.arrivals {
		if a.at.After(from) && !a.at.After(to) {
			stops = append(stops, a.at)
		}
	}
	for _, l := range h.links {
		if l.at.After(from) && !l.at.After(to) {
			stops = append(stops, l.at)
		}
	}
	slices.SortFunc(stops, func(p, q Position) int {
		switch {
		case p.After(q):
			return 1
		case q.After(p):
			return -1
		}
		return 0
	})
	return slices.Compact(stops)
}

// work is how many records step looks at between two positions: all of the person's at each stop, so that it grows with
// their square where one pseudonym stands for everybody whom a sender does not know.
func (h *history) work(from, to Position) int {
	return len(h.stops(from, to)) * len(h.arrivals)
}

// step adds to changed how the person's counts differ between two positions. It names every cell that the person
// counted in at any position between, changed or not: an aggregator that publishes after a longer step must overwrite
// whatever one with shorter steps may have written for these cells.
func (h *history) step(from, to Position, ix ground, changed map[Cell]Counts) {
	before := h.counts(from, ix)
	for _, at := range h.stops(from, to) {
		after := h.counts(at, ix)
		for c, n := range after {
			if n != before[c] {
				changed[c] = changed[c].plus(n, 1).plus(before[c], -1)
			}
		}
		for c, n := range before {
			if _, still := after[c]; !still {
				changed[c] = changed[c].plus(n, -1)
			}
		}
		before = after
	}
}
