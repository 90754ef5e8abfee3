package inequality_test

import (
	"math"
	"testing"

	"gapwatch/services/internal/inequality"
)

func people(t *testing.T, short [5]inequality.People) [5]uint64 {
	t.Helper()
	var n [5]uint64
	for i := range short {
		n[i] = get(t, "people short", short[i])
	}
	return n
}

func TestShort(t *testing.T) {
	m := inequality.Of(flu, 100) // best is quintile 5 with 80 %
	if got, want := people(t, m.Short), [5]uint64{1800, 900, 400, 160, 0}; got != want {
		t.Errorf("short to best: %v, should be %v", got, want)
	}
	if got := get(t, "people short", m.ShortAll); got != 3260 {
		t.Errorf("%d people short in all", got)
	}
	if got, want := people(t, inequality.ShortToTarget(flu, 0.75, 100)), [5]uint64{1300, 450, 0, 0, 0}; got != want {
		t.Errorf("short to target: %v, should be %v", got, want)
	}
}

// One more person than rounding down would give, and not one fewer than is enough.
func TestShortRoundsUp(t *testing.T) {
	q := inequality.Quintiles{{33, 100}, {1, 3}, {34, 100}, {100, 300}, {1, 100}}
	if got, want := people(t, inequality.ShortToBest(q, 0)), [5]uint64{1, 1, 0, 2, 33}; got != want {
		t.Errorf("%v, should be %v", got, want)
	}
	for _, c := range []struct {
		covered, eligible uint64
		target            float64
		want              uint64
	}{
		{0, 100, 0.07, 7}, {0, 1000, 0.667, 667}, {0, 1000, 66.7 / 100, 667}, {667, 1000, 66.7 / 100, 0}, {0, 3, 1.0 / 3, 1}, {0, 3, 0.34, 2},
		{94, 100, 0.95, 1}, {95, 100, 0.95, 0}, {96, 100, 0.95, 0}, {0, 100, 1, 100}, {0, 100, 1.5, 100}, {0, 100, 0, 0},
		{0, 100, -1, 0}, {0, 100, math.NaN(), 0}, {0, 0, 0.95, 0}, {5, 0, 0.95, 0}, {120, 100, 0.95, 0}, {0, 1 << 53, 1, 1 << 53},
	} {
		if got := inequality.ShortTo(inequality.Count{Covered: c.covered, Eligible: c.eligible}, c.target); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// Shares that are equal as floating-point numbers are told apart.
func TestShortOfLargeCounts(t *testing.T) {
	const n = 1 << 60
	q := inequality.Quintiles{{n - 2, n}, {n - 1, n}, {n - 2, n}, {n - 2, n}, {n - 2, n}}
	if got, want := people(t, inequality.ShortToBest(q, 0)), [5]uint64{1, 0, 1, 1, 1}; got != want {
		t.Errorf("%v, should be %v", got, want)
	}
}

// The best is the best of those that can be used.
func TestShortToBestOfUsable(t *testing.T) {
	q := flu
	q[4] = inequality.Count{Covered: 99, Eligible: 99}
	short := inequality.ShortToBest(q, 100)
	for i, want := range []uint64{1600, 720, 240, 0} { // best is quintile 4 with 78 %
		if got := get(t, "people short", short[i]); got != want {
			t.Errorf("quintile %d: %d", i+1, got)
		}
	}
	if _, ok := short[4].Get(); ok {
		t.Error("quintile 5 was computed")
	}
}

func TestBiggestWin(t *testing.T) {
	for name, c := range map[string]struct {
		counts inequality.Quintiles
		want   inequality.Win
	}{
		"most eligible":            {flu, inequality.Win{Quintile: 1, People: 100}},
		"the middle":               {inequality.Quintiles{{10, 1000}, {10, 2000}, {10, 5000}, {10, 3000}, {10, 2000}}, inequality.Win{Quintile: 3, People: 50}},
		"of equals, most deprived": {inequality.Quintiles{{90, 100}, {10, 200}, {10, 200}, {10, 200}, {10, 200}}, inequality.Win{Quintile: 2, People: 2}},
		"no room in the largest":   {inequality.Quintiles{{10, 1000}, {10, 2000}, {5000, 5000}, {10, 3000}, {10, 2000}}, inequality.Win{Quintile: 4, People: 30}},
		"little room in it":        {inequality.Quintiles{{10, 1000}, {10, 2000}, {4975, 5000}, {10, 3000}, {10, 2000}}, inequality.Win{Quintile: 4, People: 30}},
		"enough of it":             {inequality.Quintiles{{10, 1000}, {10, 2000}, {4965, 5000}, {10, 3000}, {10, 2000}}, inequality.Win{Quintile: 3, People: 35}},
		"rounded up":               {inequality.Quintiles{{0, 101}, {0, 1}, {0, 1}, {0, 1}, {0, 1}}, inequality.Win{Quintile: 1, People: 2}},
		"places without a fifth":   {inequality.Quintiles{{0, 500}, {0, 700}, {}, {0, 20}, {}}, inequality.Win{Quintile: 2, People: 7}},
	} {
		if got := get(t, name, inequality.BiggestWinOf(c.counts, 100)); got != c.want {
			t.Errorf("%s: %+v, should be %+v", name, got, c.want)
		}
	}
}
