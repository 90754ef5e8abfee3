package completeness_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/completeness"
)

const asOf calendar.Day = 20_000

// stream is what has come by asOf of daily events that grow by growth a day (1: none), come with the given shares after 0,
// 1, ... days and began the given number of days before asOf. perDay is the number of asOf.
func stream(quintile uint8, perDay, growth float64, began int, shares []float64) []completeness.Arrivals {
	var arrivals []completeness.Arrivals
	for age := range began + 1 {
		for delay, share := range shares {
			if delay <= age {
				n := int64(math.Round(share * perDay * math.Pow(growth, -float64(age))))
				arrivals = append(arrivals, completeness.Arrivals{quintile, asOf - calendar.Day(age), asOf - calendar.Day(age-delay), n})
			}
		}
	}
	return arrivals
}

// spread is n equal shares after 0 to n-1 days: 95 % have come when the first share that reaches 0.95 has.
func spread(n int) []float64 {
	shares := make([]float64, n)
	for i := range shares {
		shares[i] = 1 / float64(n)
	}
	return shares
}

// Where events double every week most of them are too young to show a long delay. The lag must not be shorter for it.
func TestGrowthDoesNotShortenTheLag(t *testing.T) {
	for _, growth := range []float64{1, math.Pow(2, 1.0/7), math.Pow(2, -1.0/7)} {
		arrivals := stream(3, 1e9, growth, 84, spread(40))
		lag := completeness.Learn(asOf, arrivals)
		if lag.Days != 37 || lag.Basis != completeness.Learnt || lag.Capped { // 38 of 40 shares have come after 37 days
			t.Errorf("growth %.2f: %+v, should be 37 days", growth, lag)
		}
		plain, all, late := 0, 0.0, map[int]float64{} // what the delays of all that has come would say
		for _, a := range arrivals {
			all += float64(a.Events)
			for j := range int(a.Received - a.Occurred) {
				late[j] += float64(a.Events)
			}
		}
		for late[plain] > 0.05*all {
			plain++
		}
		if growth > 1 && plain > 30 {
			t.Errorf("growth %.2f: the plain lag is %d, the stream shows nothing", growth, plain)
		}
	}
}

func TestLag(t *testing.T) {
	join := func(parts ...[]completeness.Arrivals) (all []completeness.Arrivals) {
		for _, p := range parts {
			all = append(all, p...)
		}
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return all
	}
	quick := stream(5, 1000, 1, 84, []float64{0.96, 0.04})
	for name, c := range map[string]struct {
		arrivals []completeness.Arrivals
		days     int
		basis    completeness.Basis
		capped   bool
	}{
		"nothing":                       {nil, 7, completeness.Assumed, false},
		"199 events":                    {stream(1, 199, 1, 30, nil), 7, completeness.Assumed, false},
		"at least 1":                    {quick, 1, completeness.Learnt, false},
		"95 % exactly":                  {stream(5, 1000, 1, 84, []float64{0.5, 0.25, 0.15, 0.05, 0.05}), 3, completeness.Learnt, false},
		"just under 95 %":               {stream(5, 1000, 1, 84, []float64{0.5, 0.25, 0.15, 0.049, 0.051}), 4, completeness.Learnt, false},
		"the slowest quintile":          {join(quick, stream(1, 100, 1, 84, spread(10))), 9, completeness.Learnt, false},
		"a slow one with too few":       {join(quick, stream(1, 2, 1, 84, []float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 1})), 1, completeness.Learnt, false},
		"unknown quintile does not":     {join(quick, stream(0, 1000, 1, 84, spread(10))), 1, completeness.Learnt, false},
		"all together":                  {join(stream(1, 1, 1, 84, spread(1)), stream(2, 2, 1, 84, []float64{0, 0, 1}), stream(0, 1, 1, 84, spread(1))), 2, completeness.Pooled, false},
		"three weeks":                   {stream(2, 1000, 1, 21, []float64{1}), 7, completeness.Short, false},
		"three weeks, slow":             {stream(2, 1000, 1, 21, spread(15)), 14, completeness.Short, false},
		"later than the longest":        {stream(2, 1000, 1, 84, spread(60)), 42, completeness.Learnt, true},
		"the longest":                   {stream(2, 43_000, 1, 84, append(make([]float64, 42), 1)), 42, completeness.Learnt, false},
		"before it happened":            {[]completeness.Arrivals{{4, asOf - 30, asOf - 40, 500}}, 1, completeness.Learnt, false},
		"after the window":              {[]completeness.Arrivals{{4, asOf - 85, asOf - 40, 500}}, 7, completeness.Assumed, false},
		"after asOf":                    {[]completeness.Arrivals{{4, asOf - 30, asOf + 100, 500}, {4, asOf + 1, asOf, 500}}, 7, completeness.Assumed, false},
		"half withdrawn later":          {stream(5, 1000, 1, 84, append(spread(10), append(make([]float64, 20), -0.5)...)), 9, completeness.Learnt, false},
		"withdrawn is not come":         {[]completeness.Arrivals{{4, asOf - 30, asOf - 30, 500}, {4, asOf - 30, asOf - 30, -400}}, 7, completeness.Assumed, false},
		"of a quintile that is not one": {[]completeness.Arrivals{{6, asOf - 30, asOf - 30, 500}}, 7, completeness.Assumed, false},
	} {
		lag := completeness.Learn(asOf, c.arrivals)
		if lag.Days != c.days || lag.Basis != c.basis || lag.Capped != c.capped {
			t.Errorf("%s: %+v, should be %d days, %s", name, lag, c.days, c.basis)
		}
		if d := lag.LastComplete(asOf); d != asOf-calendar.Day(c.days) {
			t.Errorf("%s: last complete day %v", name, d)
		}
	}
}

func TestLagShowsWhatItRestsOn(t *testing.T) {
	lag := completeness.Learn(asOf, append(stream(1, 1000, 1, 40, spread(5)), stream(0, 10, 1, 40, []float64{1})...))
	want := completeness.OfQuintile{Days: 4, Horizon: 40, Events: 200 * (41 + 40 + 39 + 38 + 37)}
	if lag.Quintiles[0] != want || lag.Quintiles[1] != (completeness.OfQuintile{}) || lag.All.Events != want.Events+410 {
		t.Errorf("%+v, quintile 1 should be %+v", lag, want)
	}
}

func TestReleasesBecomeArrivals(t *testing.T) {
	release := func(known, through calendar.Day, covered map[calendar.Day]uint64) completeness.Release {
		r := completeness.Release{Known: known, Through: through, Covered: map[calendar.Day][6]uint64{}}
		for d, n := range covered {
			r.Covered[d] = [6]uint64{2: n}
		}
		return r
	}
	releases := []completeness.Release{
		release(15, 10, map[calendar.Day]uint64{3: 100, 10: 200}),                   // known before: left out
		release(22, 17, map[calendar.Day]uint64{3: 101, 10: 220, 17: 300}),          // 80 in the week up to 17
		release(27, 20, map[calendar.Day]uint64{3: 101, 10: 221, 17: 311, 20: 350}), // 20 is no day of the newest
		release(29, 24, map[calendar.Day]uint64{3: 101, 10: 221, 17: 309, 24: 400}), // -2 up to 17, 91 up to 24
	}
	got := completeness.FromReleases(releases)
	want := []completeness.Arrivals{{2, 17, 22, 80}, {2, 17, 27, 10}, {2, 17, 29, -2}, {2, 24, 29, 91}}
	if len(got) != len(want) {
		t.Fatalf("%v, should be %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, should be %v", got, want)
		}
	}
	if got := completeness.FromReleases(releases[:1]); got != nil {
		t.Errorf("one release: %v", got)
	}
}
