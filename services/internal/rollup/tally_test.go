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
		counted := tally{series: make([]series, 3)}
		want := map[uint32]uint32{}
		for range rng.IntN(1000) {
			at := uint32(rng.IntN(1 + rng.IntN(300)))
			want[at]++
			counted.log = append(counted.log, 1<<32|uint64(at), uint64(rng.IntN(2))*2<<32|rng.Uint64N(1<<17))
			if rng.IntN(40) == 0 {
				counted.fold()
			}
		}
		counted.fold()
		s := counted.series[1]
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

func TestNumbersAreSorted(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		some := make([]uint64, rng.IntN(2000))
		for i := range some {
			some[i] = rng.Uint64() >> rng.UintN(64)
		}
		want := slices.Sorted(slices.Values(some))
		if got, _ := sortNumbers(some, make([]uint64, len(some))); !slices.Equal(got, want) {
			t.Fatalf("%v, not %v", got, want)
		}
	}
}

func TestNumbersAreFoundAgain(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var got numbers
	want := map[uint64]uint32{}
	for range 100_000 {
		key := rng.Uint64() >> rng.UintN(64)
		if rng.IntN(2) == 0 {
			want[key] = rng.Uint32() / 2
			got.set(key, want[key])
		}
		value, ok := want[key]
		if found, there := got.get(key); there != ok || found != value {
			t.Fatalf("%x is %d, %v, not %d, %v", key, found, there, value, ok)
		}
	}
}
