package rollup

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"gapwatch/services/internal/event"
)

// Whoever is linked is found from every end, through any number of others, also where halves of pseudonyms are the same.
func TestLinkedPeopleAreFoundFromEveryEnd(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for range 200 {
		var ls links
		people := make([]event.Pseudonym, 2+rng.IntN(30))
		for i := range people {
			people[i][0], people[i][15] = byte(rng.IntN(len(people))), byte(i)
		}
		leader := map[event.Pseudonym]event.Pseudonym{}
		for _, p := range people {
			leader[p] = p
		}
		first := map[[2]event.Pseudonym]uint64{}
		for range rng.IntN(2 * len(people)) {
			a, b, at := people[rng.IntN(len(people))], people[rng.IntN(len(people))], rng.Uint64N(100)
			ls.add(a, b, Position{Sequence: at})
			if earlier, known := first[[2]event.Pseudonym{a, b}]; !known || at < earlier {
				first[[2]event.Pseudonym{a, b}] = at
			}
			from, to := leader[a], leader[b]
			for p, l := range leader {
				if l == from {
					leader[p] = to
				}
			}
		}
		for _, p := range people {
			var want []event.Pseudonym
			for other, l := range leader {
				if l == leader[p] {
					want = append(want, other)
				}
			}
			got, among := ls.cluster(p)
			for _, some := range [][]event.Pseudonym{got, want} {
				slices.SortFunc(some, func(a, b event.Pseudonym) int { return bytes.Compare(a[:], b[:]) })
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%v is linked with %v, not %v", p, got, want)
			}
			links := 0
			for pair, at := range first {
				if leader[pair[0]] != leader[p] {
					continue
				}
				links++
				if !slices.Contains(among, link{pair[0], pair[1], Position{Sequence: at}}) || ls.newSince(pair[0], pair[1], Position{Sequence: at}) {
					t.Fatalf("%v since %d is not among %v", pair, at, among)
				}
			}
			if len(among) != links {
				t.Fatalf("%d links, want %d", len(among), links)
			}
		}
	}
}
