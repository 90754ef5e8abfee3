package inequality_test

import (
	"errors"
	"math"
	"testing"

	"gapwatch/services/internal/inequality"
)

// flu is the worked example of the documentation.
var flu = inequality.Quintiles{{6200, 10000}, {6300, 9000}, {6000, 8000}, {6240, 8000}, {5600, 7000}}

// The measures of the worked example, each computed from its formula by other means.
func TestOfWorkedExample(t *testing.T) {
	m := inequality.Of(flu, 100)
	for _, c := range []struct {
		what    string
		measure inequality.Measure
		want    inequality.Estimate
	}{
		{"uptake of quintile 1", m.Uptake[0], inequality.Estimate{Value: 0.62, Low: 0.61044, High: 0.62947}},
		{"gap", m.Gap, inequality.Estimate{Value: 0.18, Low: 0.16657, High: 0.19327}},
		{"ratio", m.Ratio, inequality.Estimate{Value: 0.775, Low: 0.76018, High: 0.79011}},
		{"SII", m.SII, inequality.Estimate{Value: 0.22412, Low: 0.20922, High: 0.23894}},
		{"RII", m.RII, inequality.Estimate{Value: 1.37302, Low: 1.34296, High: 1.40396}},
		{"linear SII", m.LinearSII, inequality.Estimate{Value: 0.22896, Low: 0.21391, High: 0.24400}},
		{"linear RII", m.LinearRII, inequality.Estimate{Value: 1.37663, Low: 1.34715, High: 1.40694}},
	} {
		got := get(t, c.what, c.measure)
		for _, v := range [][2]float64{{got.Value, c.want.Value}, {got.Low, c.want.Low}, {got.High, c.want.High}} {
			if !(math.Abs(v[0]-v[1]) <= 0.000006) {
				t.Errorf("%s is %.5f (%.5f to %.5f), should be %+v", c.what, got.Value, got.Low, got.High, c.want)
				break
			}
		}
	}
}

// Table II of Newcombe, Stat Med 1998;17:873-890, method 10: his second share is that of quintile 1.
func TestGapOfNewcombe(t *testing.T) {
	for _, c := range []struct {
		x5, n5, x1, n1 uint64
		low, high      float64
	}{
		{56, 70, 48, 80, 0.0524, 0.3339},
		{9, 10, 3, 10, 0.1705, 0.8090},
		{6, 7, 2, 7, 0.0582, 0.8062},
		{5, 56, 0, 29, -0.0381, 0.1926},
		{0, 10, 0, 20, -0.1611, 0.2775},
		{0, 10, 0, 10, -0.2775, 0.2775},
		{10, 10, 0, 20, 0.6791, 1.0000},
		{10, 10, 0, 10, 0.6075, 1.0000},
	} {
		q := inequality.Quintiles{0: {c.x1, c.n1}, 4: {c.x5, c.n5}}
		got := get(t, "gap", inequality.GapOf(q, 0, inequality.Z95))
		want := float64(c.x5)/float64(c.n5) - float64(c.x1)/float64(c.n1)
		if got.Value != want || !(math.Abs(got.Low-c.low) <= 5e-5) || !(math.Abs(got.High-c.high) <= 5e-5) {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

// The example of scipy.stats.contingency.relative_risk, whose interval is Katz's.
func TestRatioOfKatz(t *testing.T) {
	got := get(t, "ratio", inequality.Of(inequality.Quintiles{0: {10, 75}, 4: {12, 225}}, 0).Ratio)
	near(t, "ratio", got.Value, 2.5, 1e-12)
	near(t, "low limit", got.Low, 1.1261564003469628, 1e-12)
	near(t, "high limit", got.High, 5.549850800541033, 1e-12)
}

// Newcombe, Stat Med 1998;17:857-872, table I, method 3; and the ends of the scale.
func TestWilson(t *testing.T) {
	for _, c := range []struct{ x, n, confidence, low, high float64 }{
		{81, 263, 95, 0.2553, 0.3662}, {15, 148, 0.95, 0.0624, 0.1605}, {0, 20, 0.95, 0, 0.1611}, {1, 29, 95, 0.0061, 0.1718},
		{20, 20, 95, 1 - 0.1611, 1}, {3, 10, 1, 0, 1}, {3, 10, 100, 0, 1},
	} {
		low, high, err := inequality.Wilson(c.x, c.n, c.confidence)
		if err != nil || !(math.Abs(low-c.low) <= 5e-5) || !(math.Abs(high-c.high) <= 5e-5) {
			t.Errorf("%+v: from %v to %v, %v", c, low, high, err)
		}
	}
	nan := math.NaN()
	for _, c := range []struct {
		x, n, confidence float64
		field            string
	}{
		{-1, 10, 95, "x"}, {11, 10, 95, "x"}, {nan, 10, 95, "x"}, {0, 0, 95, "n"}, {1, -2, 95, "n"}, {1, nan, 95, "n"},
		{1, 10, 0.89, "confidence"}, {1, 10, 2, "confidence"}, {1, 10, 89, "confidence"}, {1, 10, 101, "confidence"}, {1, 10, nan, "confidence"},
	} {
		_, _, err := inequality.Wilson(c.x, c.n, c.confidence)
		var input *inequality.InputError
		if !errors.As(err, &input) || input.Field != c.field {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// What is not computed, for every rule and quintile, and what still is.
func TestNotComputed(t *testing.T) {
	const all = "quintiles 1, 2, 3, 4 and 5: "
	with := func(quintile int, c inequality.Count) inequality.Quintiles {
		q := flu
		q[quintile-1] = c
		return q
	}
	for name, c := range map[string]struct {
		counts inequality.Quintiles
		want   map[string]string // measure to reason; the others are computed
	}{
		"nothing missing": {flu, nil},
		"few eligible in quintile 3": {with(3, inequality.Count{Covered: 50, Eligible: 99}), map[string]string{
			"sii": "quintile 3: fewer than 100 eligible", "rii": "quintile 3: fewer than 100 eligible",
			"linear sii": "quintile 3: fewer than 100 eligible", "linear rii": "quintile 3: fewer than 100 eligible",
			"short 3": "quintile 3: fewer than 100 eligible", "short": "quintile 3: fewer than 100 eligible",
		}},
		"just enough eligible in quintile 3": {with(3, inequality.Count{Covered: 50, Eligible: 100}), nil},
		"few eligible in quintile 1": {with(1, inequality.Count{Covered: 0, Eligible: 99}), map[string]string{
			"gap": "quintile 1: fewer than 100 eligible", "ratio": "quintile 1: fewer than 100 eligible",
			"sii": "quintile 1: fewer than 100 eligible", "rii": "quintile 1: fewer than 100 eligible",
			"linear sii": "quintile 1: fewer than 100 eligible", "linear rii": "quintile 1: fewer than 100 eligible",
			"short 1": "quintile 1: fewer than 100 eligible", "short": "quintile 1: fewer than 100 eligible",
		}},
		"no figures of quintile 5": {with(5, inequality.Count{}), map[string]string{
			"uptake 5": "quintile 5: no eligible people known",
			"gap":      "quintile 5: no eligible people known", "ratio": "quintile 5: no eligible people known",
			"sii": "quintile 5: no eligible people known", "rii": "quintile 5: no eligible people known",
			"linear sii": "quintile 5: no eligible people known", "linear rii": "quintile 5: no eligible people known",
			"short 5": "quintile 5: no eligible people known", "short": "quintile 5: no eligible people known",
		}},
		"over-covered quintile 2": {with(2, inequality.Count{Covered: 9001, Eligible: 9000}), map[string]string{
			"uptake 2": "quintile 2: more covered than eligible",
			"sii":      "quintile 2: more covered than eligible", "rii": "quintile 2: more covered than eligible",
			"linear sii": "quintile 2: more covered than eligible", "linear rii": "quintile 2: more covered than eligible",
			"short 2": "quintile 2: more covered than eligible", "short": "quintile 2: more covered than eligible",
			"win": "quintile 2: more covered than eligible",
		}},
		"covered but not eligible": {with(5, inequality.Count{Covered: 1}), map[string]string{
			"uptake 5": "quintile 5: more covered than eligible",
			"gap":      "quintile 5: more covered than eligible", "ratio": "quintile 5: more covered than eligible",
			"sii": "quintile 5: more covered than eligible", "rii": "quintile 5: more covered than eligible",
			"linear sii": "quintile 5: more covered than eligible", "linear rii": "quintile 5: more covered than eligible",
			"short 5": "quintile 5: more covered than eligible", "short": "quintile 5: more covered than eligible",
			"win": "quintile 5: more covered than eligible",
		}},
		"nobody covered in quintile 2": {with(2, inequality.Count{Eligible: 9000}), map[string]string{
			"sii": "quintile 2: nobody covered", "rii": "quintile 2: nobody covered",
		}},
		"everybody covered in quintile 5": {with(5, inequality.Count{Covered: 7000, Eligible: 7000}), map[string]string{
			"sii": "quintile 5: everybody covered", "rii": "quintile 5: everybody covered", "ratio": "quintile 5: everybody covered",
		}},
		"nobody covered": {inequality.Quintiles{{0, 100}, {0, 100}, {0, 100}, {0, 100}, {0, 100}}, map[string]string{
			"sii": all + "nobody covered", "rii": all + "nobody covered", "ratio": "quintiles 1 and 5: nobody covered",
			"linear rii": "the fitted line is not clearly above 0 at its lower end",
		}},
		"everybody covered": {inequality.Quintiles{{100, 100}, {100, 100}, {100, 100}, {100, 100}, {100, 100}}, map[string]string{
			"sii": all + "everybody covered", "rii": all + "everybody covered", "ratio": "quintiles 1 and 5: everybody covered",
			"win": "nobody is left to be covered",
		}},
		"a line that starts at 0": {inequality.Quintiles{{1, 1000}, {200, 1000}, {400, 1000}, {600, 1000}, {800, 1000}}, map[string]string{
			"linear rii": "the fitted line is not clearly above 0 at its lower end",
		}},
		"one quintile alone": {inequality.Quintiles{2: {500, 1000}}, map[string]string{
			"uptake 1": "quintile 1: no eligible people known", "uptake 2": "quintile 2: no eligible people known",
			"uptake 4": "quintile 4: no eligible people known", "uptake 5": "quintile 5: no eligible people known",
			"gap": "quintiles 1 and 5: no eligible people known", "ratio": "quintiles 1 and 5: no eligible people known",
			"sii": "quintiles 1, 2, 4 and 5: no eligible people known", "rii": "quintiles 1, 2, 4 and 5: no eligible people known",
			"linear sii": "quintiles 1, 2, 4 and 5: no eligible people known", "linear rii": "quintiles 1, 2, 4 and 5: no eligible people known",
			"short 1": "quintile 1: no eligible people known", "short 2": "quintile 2: no eligible people known",
			"short 3": "no other quintile can be used",
			"short 4": "quintile 4: no eligible people known", "short 5": "quintile 5: no eligible people known",
			"short": "quintiles 1, 2, 4 and 5: no eligible people known",
		}},
		"several reasons": {inequality.Quintiles{{2, 1}, {0, 5}, {0, 500}, {500, 500}, {}}, map[string]string{
			"uptake 1": "quintile 1: more covered than eligible", "uptake 5": "quintile 5: no eligible people known",
			"gap":   "quintile 1: more covered than eligible; quintile 5: no eligible people known",
			"ratio": "quintile 1: more covered than eligible; quintile 5: no eligible people known",
			"sii": "quintile 1: more covered than eligible; quintile 5: no eligible people known; quintile 2: fewer than 100 eligible; " +
				"quintile 3: nobody covered; quintile 4: everybody covered",
			"rii": "quintile 1: more covered than eligible; quintile 5: no eligible people known; quintile 2: fewer than 100 eligible; " +
				"quintile 3: nobody covered; quintile 4: everybody covered",
			"linear sii": "quintile 1: more covered than eligible; quintile 5: no eligible people known; quintile 2: fewer than 100 eligible",
			"linear rii": "quintile 1: more covered than eligible; quintile 5: no eligible people known; quintile 2: fewer than 100 eligible",
			"short 1":    "quintile 1: more covered than eligible", "short 2": "quintile 2: fewer than 100 eligible",
			"short 5": "quintile 5: no eligible people known",
			"short":   "quintile 1: more covered than eligible; quintile 5: no eligible people known; quintile 2: fewer than 100 eligible",
			"win":     "quintile 1: more covered than eligible; quintile 5: no eligible people known; quintile 2: fewer than 100 eligible",
		}},
	} {
		found := map[string]string{}
		m := inequality.Of(c.counts, 100)
		for measure, result := range everything(&m) {
			if why, ok := result(); !ok {
				found[measure] = why.String()
			} else if why != (inequality.NotComputed{}) {
				t.Errorf("%s: %s was computed and has a reason: %s", name, measure, why)
			}
		}
		for measure := range everything(&m) {
			if found[measure] != c.want[measure] {
				t.Errorf("%s: %s: not computed because of %q, should be %q", name, measure, found[measure], c.want[measure])
			}
		}
	}
}

// everything is each measure by name: why it was not computed, and whether it was.
func everything(m *inequality.Measures) map[string]func() (inequality.NotComputed, bool) {
	all := map[string]func() (inequality.NotComputed, bool){
		"gap": state(m.Gap), "ratio": state(m.Ratio), "sii": state(m.SII), "rii": state(m.RII),
		"linear sii": state(m.LinearSII), "linear rii": state(m.LinearRII), "short": state(m.ShortAll), "win": state(m.BiggestWin),
	}
	for i, name := range []string{"1", "2", "3", "4", "5"} {
		all["uptake "+name] = state(m.Uptake[i])
		all["short "+name] = state(m.Short[i])
	}
	return all
}

func state[T any](r inequality.Result[T]) func() (inequality.NotComputed, bool) {
	return func() (inequality.NotComputed, bool) {
		_, ok := r.Get()
		return r.NotComputed(), ok
	}
}

// A quintile with nobody covered has a standard error close to that of one with one person covered, so that the interval
// of the linear SII does not break off there.
func TestLinearSIIOfNobodyCovered(t *testing.T) {
	width := func(covered uint64) float64 {
		var q inequality.Quintiles
		for i := range q {
			q[i] = inequality.Count{Covered: covered, Eligible: 1000}
		}
		sii := get(t, "linear SII", inequality.Of(q, 100).LinearSII)
		return sii.High - sii.Low
	}
	if none, one := width(0), width(1); !(none > 0) || !(math.Abs(none/one-1) < 0.15) {
		t.Errorf("width %v with nobody covered, %v with one person", none, one)
	}
	near(t, "width with everybody covered", width(1000), width(0), 1e-9)
}

// A quintile without figures of its own leaves the measures of the others as they are.
func TestRawUptake(t *testing.T) {
	if got, ok := (inequality.Count{Covered: 102, Eligible: 100}).Uptake(); !ok || got != 1.02 {
		t.Errorf("raw figure %v", got)
	}
	if _, ok := (inequality.Count{Covered: 1}).Uptake(); ok {
		t.Error("a share of nobody")
	}
	if _, ok := inequality.UptakeOf(inequality.Count{Covered: 102, Eligible: 100}); ok {
		t.Error("an interval of more than everybody")
	}
}
