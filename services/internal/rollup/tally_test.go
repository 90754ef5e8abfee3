package rollup

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// However the counts of a series are folded, it holds each of them once, in order.
func TestASeriesHoldsWhatWasCounted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s series
		want := map[uint32]uint32{}
		for range rng.IntN(1000) {
			at := uint32(rng.IntN(1 + rng.IntN(300)))
			want[at]++
			if s.pending = append(s.pending, at); rng.IntN(40) == 0 {
				s.fold()
			}
		}
		s.fold()
		if !slices.IsSortedFunc(s.entries, func(a, b entry) int { return cmp.Compare(a.at, b.at) }) || len(s.entries) != len(want) {
			t.Fatalf("%d entries, %d wanted: %v", len(s.entries), len(want), s.entries)
		}
		for _, e := range s.entries {
			if want[e.at] != e.n {
				t.Fatalf("%d was counted %d times, not %d", e.at, want[e.at], e.n)
			}
		}
	}
}
