package inequality_test

import (
	"math"
	mathrand "math/rand"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/quick"

	"gapwatch/services/internal/inequality"
)

// counts are five quintiles as they may come: of any size, some empty, with nobody or everybody covered, or more.
type counts inequality.Quintiles

func (counts) Generate(r *mathrand.Rand, _ int) reflect.Value {
	var q counts
	for i := range q {
		n := r.Uint64() >> (11 + r.Intn(53)) // every order of magnitude up to 2^53
		x := n
		if n > 0 {
			x = r.Uint64() % (n + 1)
		}
		switch r.Intn(12) {
		case 0:
			x = 0
		case 1:
			x = n
		case 2:
			x = n + 1 + r.Uint64()%100
		case 3:
			x, n = 0, 0
		case 4:
			x = min(n, 1)
		case 5:
			x = n - min(n, 1)
		}
		q[i] = inequality.Count{Covered: x, Eligible: n}
	}
	return reflect.ValueOf(q)
}

// sound are counts of which every measure but the linear RII is computed.
type sound inequality.Quintiles

func (sound) Generate(r *mathrand.Rand, _ int) reflect.Value {
	var q sound
	for i := range q {
		n := 2 + r.Uint64()>>(40+r.Intn(20))
		q[i] = inequality.Count{Covered: 1 + r.Uint64()%(n-1), Eligible: n}
	}
	return reflect.ValueOf(q)
}

// check holds a property against the same 5,000 inputs every time.
func check(t *testing.T, property any) {
	t.Helper()
	if err := quick.Check(property, &quick.Config{MaxCount: 5000, Rand: mathrand.New(mathrand.NewSource(1))}); err != nil {
		t.Error(err)
	}
}

// all is every estimate of a set of measures that was computed.
func all(m *inequality.Measures) []inequality.Estimate {
	var list []inequality.Estimate
	for _, measure := range append(m.Uptake[:], m.Gap, m.Ratio, m.SII, m.RII, m.LinearSII, m.LinearRII) {
		if e, ok := measure.Get(); ok {
			list = append(list, e)
		}
	}
	return list
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// near0 means equal but for rounding.
func near0(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

func same(a, b inequality.Estimate) bool {
	return near0(a.Value, b.Value) && near0(a.Low, b.Low) && near0(a.High, b.High)
}

func negated(e inequality.Estimate) inequality.Estimate {
	return inequality.Estimate{Value: -e.Value, Low: -e.High, High: -e.Low}
}

func inverted(e inequality.Estimate) inequality.Estimate {
	return inequality.Estimate{Value: 1 / e.Value, Low: 1 / e.High, High: 1 / e.Low}
}

// Whatever the counts: what was computed is a number within its interval and its range, and what was not says why.
func TestAnyCounts(t *testing.T) {
	check(t, func(c counts, floor uint8) bool {
		m := inequality.Of(inequality.Quintiles(c), uint64(floor))
		for _, e := range all(&m) {
			if !finite(e.Value) || !finite(e.Low) || !finite(e.High) || !(e.Low <= e.Value && e.Value <= e.High) {
				t.Logf("%+v", e)
				return false
			}
		}
		for name, result := range everything(&m) {
			if why, ok := result(); ok == (why.String() != "") {
				t.Logf("%s: computed %t, %q", name, ok, why)
				return false
			}
		}
		for _, measure := range append(m.Uptake[:], m.RII, m.Ratio, m.LinearRII) {
			if e, ok := measure.Get(); ok && !(e.Low >= 0) {
				return false
			}
		}
		for _, measure := range m.Uptake {
			if e, ok := measure.Get(); ok && !(e.High <= 1) {
				return false
			}
		}
		for _, measure := range []inequality.Measure{m.Gap, m.SII} {
			if e, ok := measure.Get(); ok && !(e.Low >= -1 && e.High <= 1) {
				return false
			}
		}
		return true
	})
}

// People short are as many as are enough, and one fewer is not.
func TestShortIsJustEnough(t *testing.T) {
	check(t, func(c sound) bool {
		q := inequality.Quintiles(c)
		best := 0.0
		for _, count := range q {
			share, _ := count.Uptake()
			best = max(best, share)
		}
		for i, short := range inequality.ShortToBest(q, 0) {
			n, ok := short.Get()
			if !ok || float64(q[i].Covered+n)/float64(q[i].Eligible) < best || n > 0 && float64(q[i].Covered+n-1)/float64(q[i].Eligible) >= best {
				return false
			}
			if inequality.ShortTo(q[i], best) != n {
				return false
			}
		}
		return true
	})
}

// The order of the groups' rows does not matter, and counts of quintiles give what the general method gives.
func TestOrderOfRows(t *testing.T) {
	check(t, func(c sound, seed uint64) bool {
		q := inequality.Quintiles(c)
		var groups []inequality.Quantile
		for i, count := range q {
			groups = append(groups, inequality.Quantile{Number: i + 1, Population: float64(count.Eligible), Count: float64(count.Covered)})
		}
		r := rand.New(rand.NewPCG(seed, 1))
		r.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
		m := inequality.Of(q, 0)
		for _, transform := range []bool{true, false} {
			got, err := inequality.Slope(groups, inequality.SlopeOptions{Type: inequality.Proportion, Precision: inequality.FromCount,
				Transform: transform, Multiplier: 1, Confidence: 95})
			if err != nil {
				return false
			}
			sii, rii := m.LinearSII, m.LinearRII
			if transform {
				sii, rii = m.SII, m.RII
			}
			a, _ := sii.Get()
			b, ok := rii.Get()
			d, also := got.RII.Get()
			if !same(a, got.SII) || ok != also || !same(b, d) {
				return false
			}
		}
		return true
	})
}

// A hundred times the people give the same points with narrower intervals.
func TestScale(t *testing.T) {
	check(t, func(c sound) bool {
		more := inequality.Quintiles(c)
		for i := range more {
			more[i].Covered *= 100
			more[i].Eligible *= 100
		}
		few, many := inequality.Of(inequality.Quintiles(c), 0), inequality.Of(more, 0)
		for _, pair := range [][2]inequality.Measure{{few.Gap, many.Gap}, {few.Ratio, many.Ratio}, {few.SII, many.SII}, {few.RII, many.RII},
			{few.LinearSII, many.LinearSII}, {few.LinearRII, many.LinearRII}} {
			a, ok := pair[0].Get()
			b, _ := pair[1].Get() // the linear RII may be computed of many only
			if ok && !(near0(a.Value, b.Value) && b.High-b.Low < a.High-a.Low) {
				return false
			}
		}
		return true
	})
}

// Turned round, the least deprived first: gap and SII change their sign, ratio and RII are inverted, intervals with them.
func TestSymmetryOfDeprivation(t *testing.T) {
	check(t, func(c sound) bool {
		turned := inequality.Quintiles{c[4], c[3], c[2], c[1], c[0]}
		a, b := inequality.Of(inequality.Quintiles(c), 0), inequality.Of(turned, 0)
		mirrored := func(a, b inequality.Measure, by func(inequality.Estimate) inequality.Estimate) bool {
			x, ok := a.Get()
			y, also := b.Get()
			return ok == also && (!ok || same(by(x), y))
		}
		return mirrored(a.Gap, b.Gap, negated) && mirrored(a.SII, b.SII, negated) && mirrored(a.LinearSII, b.LinearSII, negated) &&
			mirrored(a.Ratio, b.Ratio, inverted) && mirrored(a.RII, b.RII, inverted) && mirrored(a.LinearRII, b.LinearRII, inverted)
	})
}

// Counting those not covered instead: gap and SII change their sign.
func TestSymmetryOfCover(t *testing.T) {
	check(t, func(c sound) bool {
		other := inequality.Quintiles(c)
		for i := range other {
			other[i].Covered = other[i].Eligible - other[i].Covered
		}
		a, b := inequality.Of(inequality.Quintiles(c), 0), inequality.Of(other, 0)
		for _, pair := range [][2]inequality.Measure{{a.Gap, b.Gap}, {a.SII, b.SII}, {a.LinearSII, b.LinearSII}} {
			x, _ := pair[0].Get()
			y, ok := pair[1].Get()
			if !ok || !same(negated(x), y) {
				return false
			}
		}
		return true
	})
}

// One more person covered among the least deprived raises gap and linear SII and lowers the ratio; among the most deprived
// the other way round. So it does for the limits. With fifths of one size it raises the logit SII and both RII as well.
func TestMonotone(t *testing.T) {
	check(t, func(c sound, size uint16) bool {
		q := inequality.Quintiles(c)
		check := func(q inequality.Quintiles, equal bool) bool {
			for _, at := range []int{0, 4} {
				if q[at].Covered+1 >= q[at].Eligible {
					continue
				}
				more := q
				more[at].Covered++
				low, high := inequality.Of(q, 0), inequality.Of(more, 0)
				if at == 0 {
					low, high = high, low
				}
				up := [][2]inequality.Measure{{low.Gap, high.Gap}, {low.LinearSII, high.LinearSII}, {high.Ratio, low.Ratio}}
				if equal {
					up = append(up, [2]inequality.Measure{low.SII, high.SII}, [2]inequality.Measure{low.RII, high.RII}, [2]inequality.Measure{low.LinearRII, high.LinearRII})
				}
				for _, pair := range up {
					a, ok := pair[0].Get()
					b, also := pair[1].Get()
					if ok && also && !(a.Value < b.Value) {
						return false
					}
				}
				a, _ := low.Gap.Get()
				b, _ := high.Gap.Get()
				if !(a.Low < b.Low && a.High < b.High) {
					return false
				}
			}
			return true
		}
		equal := q
		for i := range equal {
			equal[i] = inequality.Count{Covered: 1 + q[i].Covered%(uint64(size)+9), Eligible: uint64(size) + 10}
		}
		return check(q, false) && check(equal, true)
	})
}

// The interval of the linear RII holds 1 exactly where that of the linear SII holds 0, and so with the logit ones.
func TestIndicesAgree(t *testing.T) {
	check(t, func(c sound) bool {
		m := inequality.Of(inequality.Quintiles(c), 0)
		for _, pair := range [][2]inequality.Measure{{m.SII, m.RII}, {m.LinearSII, m.LinearRII}} {
			s, _ := pair[0].Get()
			if r, ok := pair[1].Get(); ok && ((s.Low > 0) != (r.Low > 1) || (s.High < 0) != (r.High < 1)) {
				return false
			}
		}
		return true
	})
}
