package rollup

import (
	"math/rand/v2"
	"testing"
	"time"
)

// In whatever order days are counted, near ones and far ones, each is found with its counts, once and in order.
func TestASeriesHoldsWhatWasCounted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		counted := newTally(ground{}, nil)
		counted.series = make([]series, 3)
		want := map[uint32]*[4]int64{}
		for range rng.IntN(1000) {
			day, column := 20_000+uint32(rng.IntN(1+rng.IntN(300))), uint32(rng.IntN(4))
			if rng.IntN(10) == 0 {
				day -= uint32(rng.IntN(20_000))
			}
			if want[day] == nil {
				want[day] = &[4]int64{}
			}
			want[day][column]++
			counted.note(1, day, column)
			counted.note(uint32(rng.IntN(2))*2, uint32(rng.IntN(30_000)), uint32(rng.IntN(4)))
		}
		last := int64(-1)
		if err := counted.eachDay(&counted.series[1], func(day uint32, n Counts) error {
			if int64(day) <= last {
				t.Errorf("day %d comes after %d", day, last)
			}
			last = int64(day)
			if w := want[day]; w == nil || n != (Counts{w[newly], w[lapsed], w[movedIn], w[movedOut]}) {
				t.Errorf("day %d has %v, not %v", day, n, w)
			}
			delete(want, day)
			return nil
		}); err != nil || len(want) > 0 {
			t.Fatal(err, want)
		}
	}
}

// More people than one number of a page holds.
func TestACountBeginsAgainAt0AndIsNotLost(t *testing.T) {
	counted := newTally(ground{}, nil)
	counted.series = make([]series, 1)
	const people = 3<<16 + 5
	for range people {
		counted.note(0, 20_000, movedIn)
	}
	counted.note(0, 20_001, movedIn)
	for day, want := range map[uint32]Counts{19_999: {}, 20_000: {MovedIn: people}, 20_001: {MovedIn: 1}} {
		if got := counted.on(&counted.series[0], day); got != want {
			t.Errorf("day %d: %v, not %v", day, got, want)
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

// A collector that takes in large batches is heard of every few seconds: a backlog that stands still between two ticks may
// still grow.
func TestABacklogIsWaitedForWhileItGrows(t *testing.T) {
	var b backlog
	for _, c := range []struct {
		unread         uint64
		began, stopped time.Duration // before this look
		want           bool
	}{
		{60_000, 0, 0, true},
		{60_000, 2 * time.Second, 2 * time.Second, true},
		{90_000, 20 * time.Second, 10 * time.Second, true}, // it has just grown
		{90_000, 26 * time.Second, grown, false},
		{99_000, time.Minute, 0, false}, // patience is over
	} {
		b.since, b.grew = time.Now().Add(-c.began), time.Now().Add(-c.stopped)
		if got := b.wait(c.unread, time.Minute); got != c.want {
			t.Errorf("%+v: waits: %v", c, got)
		}
	}
}

func TestRest(t *testing.T) {
	for _, c := range []struct {
		share       float64
		spent, want time.Duration
	}{
		{0.75, 3 * time.Second, time.Second}, {0.1, time.Second, 9 * time.Second}, {1, time.Minute, 0},
		{0.75, 100 * time.Millisecond, 900 * time.Millisecond}, // ticks do not begin more often than once a second
	} {
		config := Config{Share: c.share, Interval: time.Second}
		if got := config.rest(c.spent).Round(time.Millisecond); got != c.want {
			t.Errorf("share %v: after %v it rests %v, not %v", c.share, c.spent, got, c.want)
		}
	}
}
