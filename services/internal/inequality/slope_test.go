package inequality_test

import (
	"errors"
	"math"
	"testing"

	"gapwatch/services/internal/inequality"
)

// near fails unless got is want but for a relative difference.
func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)) { // also NaN
		t.Errorf("%s is %v, should be %v", what, got, want)
	}
}

// within fails unless the limits of got are want's but for a share of want's width and an absolute difference. It gives
// the greater difference as a share of the width.
func within(t *testing.T, what string, got inequality.Estimate, low, high, share, absolute float64) float64 {
	t.Helper()
	width := high - low
	off := max(math.Abs(got.Low-low), math.Abs(got.High-high))
	if !(off <= share*width+absolute) {
		t.Errorf("%s is from %v to %v, should be from %v to %v", what, got.Low, got.High, low, high)
	}
	return off / width
}

func get[T any](t *testing.T, what string, r inequality.Result[T]) T {
	t.Helper()
	v, ok := r.Get()
	if !ok {
		t.Errorf("%s was not computed: %s", what, r.NotComputed())
	}
	return v
}

// lifeExpectancy is that of ten groups: case A of METHOD.md, rows 1 to 10 of the test data of phe_sii
// (PHEindicatormethods 2.1.0, tests/testthat/testdata_SII.xlsx).
var lifeExpectancy = []inequality.Quantile{
	{Number: 1, Population: 7291, Value: 75.9334590103081, Low: 72.7220530546453, High: 79.1448649659708},
	{Number: 2, Population: 7997, Value: 78.3442382727843, Low: 75.2509802190802, High: 81.4374963264884},
	{Number: 3, Population: 6105, Value: 83.8360631041654, Low: 80.8697295124759, High: 86.8023966958549},
	{Number: 4, Population: 7666, Value: 83.6375399664931, Low: 80.157578356036, High: 87.1175015769501},
	{Number: 5, Population: 5790, Value: 80.4655031529559, Low: 77.1308785969275, High: 83.8001277089842},
	{Number: 6, Population: 6934, Value: 81.1156759857022, Low: 78.0499986811178, High: 84.1813532902866},
	{Number: 7, Population: 5918, Value: 81.6930835718562, Low: 79.011578491948, High: 84.3745886517644},
	{Number: 8, Population: 5974, Value: 84.1900062060987, Low: 81.4457282769343, High: 86.9342841352631},
	{Number: 9, Population: 7147, Value: 80.5955641081472, Low: 75.827185168894, High: 85.3639430474004},
	{Number: 10, Population: 7534, Value: 86.2894349578624, Low: 83.2190593454592, High: 89.3598105702656},
}

// obesity is that of children of ten groups: case B of METHOD.md, rows 91 to 100 and 326 to 335 of the same.
var obesity = []inequality.Quantile{
	{Number: 1, Population: 34353, Count: 7287},
	{Number: 2, Population: 32112, Count: 6881},
	{Number: 3, Population: 27715, Count: 5656},
	{Number: 4, Population: 25372, Count: 4868},
	{Number: 5, Population: 23889, Count: 4176},
	{Number: 6, Population: 23260, Count: 3876},
	{Number: 7, Population: 23180, Count: 3617},
	{Number: 8, Population: 24193, Count: 3546},
	{Number: 9, Population: 23609, Count: 3314},
	{Number: 10, Population: 24488, Count: 2960},
}

// The worked numbers of METHOD.md: points to 1e-9, the simulated intervals to 3 % of their width.
func TestSlopeOfWorkedNumbers(t *testing.T) {
	plain := inequality.SlopeOptions{Multiplier: 1, Confidence: 0.95}
	proportion := inequality.SlopeOptions{Type: inequality.Proportion, Precision: inequality.FromCount, Multiplier: 1, Confidence: 0.95}
	transformed := proportion
	transformed.Transform = true
	for _, c := range []struct {
		name      string
		groups    []inequality.Quantile
		options   inequality.SlopeOptions
		sii, rii  float64
		intercept float64    // NaN where the source has none
		limits    [2]float64 // of the SII; both 0 where the source has none
	}{
		{"A", lifeExpectancy, plain, 6.934616473668819, 1.0888180804446217, 78.07663078231671, [2]float64{3.1276, 10.7587}},
		{"B", obesity, transformed, -0.1096462611125906, 0.5341775743253946, 0.2353821007088711, [2]float64{-0.11491, -0.10443}},
		{"B without transform", obesity, proportion, -0.10720032333730493, 0.5334015306465507, math.NaN(), [2]float64{}},
		{"C", lifeExpectancy[:5], plain, 7.919334147100874, 1.1037116952527257, math.NaN(), [2]float64{}},
	} {
		got, err := inequality.Slope(c.groups, c.options)
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.name+": SII", got.SII.Value, c.sii, 1e-9)
		near(t, c.name+": RII", get(t, c.name, got.RII).Value, c.rii, 1e-9)
		if !math.IsNaN(c.intercept) {
			near(t, c.name+": intercept", got.Intercept, c.intercept, 1e-9)
		}
		if c.limits[0] != 0 {
			within(t, c.name+": SII", got.SII, c.limits[0], c.limits[1], 0.03, 1e-4)
		}
	}
}

// Case D of METHOD.md: the linear SII of WHO's healthequal is the same as this one. Its logistic one is another method.
func TestSlopeOfWHOLinear(t *testing.T) {
	var groups []inequality.Quantile
	for i, population := range []float64{78, 91, 162, 103, 105} {
		groups = append(groups, inequality.Quantile{Number: i + 1, Population: population, Value: float64(20 + 10*i)})
	}
	got, err := inequality.Slope(groups, inequality.SlopeOptions{Precision: inequality.FromSE, Multiplier: 1, Confidence: 95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "SII", got.SII.Value, 46.25381094243, 1e-12)
	// values without an error have intervals without a width
	if got.SII.Low != got.SII.Value || got.SII.High != got.SII.Value {
		t.Errorf("the interval of values without an error is %+v", got.SII)
	}
}

// Every input that must be refused is, by the field that is wrong, whatever phe_sii would do.
func TestSlopeRefuses(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	plain := inequality.SlopeOptions{Multiplier: 1, Confidence: 0.95}
	rate := inequality.SlopeOptions{Type: inequality.Rate, Multiplier: 1, Confidence: 0.95}
	proportion := inequality.SlopeOptions{Type: inequality.Proportion, Multiplier: 1, Confidence: 0.95}
	counted := inequality.SlopeOptions{Type: inequality.Proportion, Precision: inequality.FromCount, Multiplier: 1, Confidence: 0.95}
	bySE := inequality.SlopeOptions{Precision: inequality.FromSE, Multiplier: 1, Confidence: 0.95}
	good := func() []inequality.Quantile {
		var groups []inequality.Quantile
		for i := range 5 {
			groups = append(groups, inequality.Quantile{Number: i + 1, Population: 100, Value: 0.5, Low: 0.4, High: 0.6, SE: 0.1, Count: 50})
		}
		return groups
	}
	with := func(o inequality.SlopeOptions, change func(*inequality.SlopeOptions)) inequality.SlopeOptions {
		change(&o)
		return o
	}
	third := func(change func(*inequality.Quantile)) []inequality.Quantile {
		groups := good()
		change(&groups[2])
		return groups
	}
	for _, o := range []inequality.SlopeOptions{plain, rate, proportion, counted, bySE} {
		if _, err := inequality.Slope(good(), o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for name, c := range map[string]struct {
		groups   []inequality.Quantile
		options  inequality.SlopeOptions
		field    string
		quantile int
	}{
		"four groups":         {good()[:4], plain, "quantiles", 0},
		"no groups":           {nil, plain, "quantiles", 0},
		"101 groups":          {make([]inequality.Quantile, 101), plain, "quantiles", 0},
		"a group missing":     {third(func(q *inequality.Quantile) { q.Number = 6 }), plain, "number", 3},
		"a group twice":       {third(func(q *inequality.Quantile) { q.Number = 2 }), plain, "number", 3},
		"a group 0":           {third(func(q *inequality.Quantile) { q.Number = 0 }), plain, "number", 1},
		"population 0":        {third(func(q *inequality.Quantile) { q.Population = 0 }), plain, "population", 3},
		"population missing":  {third(func(q *inequality.Quantile) { q.Population = nan }), plain, "population", 3},
		"population infinite": {third(func(q *inequality.Quantile) { q.Population = inf }), plain, "population", 3},
		"value missing":       {third(func(q *inequality.Quantile) { q.Value = nan }), plain, "value", 3},
		"rate 0":              {third(func(q *inequality.Quantile) { q.Value = 0 }), rate, "value", 3},
		"proportion 0":        {third(func(q *inequality.Quantile) { q.Value = 0 }), proportion, "value", 3},
		"proportion 1":        {third(func(q *inequality.Quantile) { q.Value = 1 }), proportion, "value", 3},
		"limit of rate 0":     {third(func(q *inequality.Quantile) { q.Low = 0 }), rate, "limits", 3},
		"limit 1":             {third(func(q *inequality.Quantile) { q.High = 1 }), proportion, "limits", 3},
		"limit missing":       {third(func(q *inequality.Quantile) { q.High = nan }), plain, "limits", 3},
		"limits exchanged":    {third(func(q *inequality.Quantile) { q.Low, q.High = q.High, q.Low }), plain, "limits", 3},
		"error missing":       {third(func(q *inequality.Quantile) { q.SE = nan }), bySE, "se", 3},
		"error below 0":       {third(func(q *inequality.Quantile) { q.SE = -1 }), bySE, "se", 3},
		"count 0":             {third(func(q *inequality.Quantile) { q.Count = 0 }), counted, "count", 3},
		"everybody counted":   {third(func(q *inequality.Quantile) { q.Count = 100 }), counted, "count", 3},
		"more than everybody": {third(func(q *inequality.Quantile) { q.Count = 101 }), counted, "count", 3},
		"transform of other":  {good(), with(plain, func(o *inequality.SlopeOptions) { o.Transform = true }), "transform", 0},
		"transform with errors": {good(), with(proportion, func(o *inequality.SlopeOptions) {
			o.Transform, o.Precision = true, inequality.FromSE
		}), "transform", 0},
		"counts of rates":    {good(), with(rate, func(o *inequality.SlopeOptions) { o.Precision = inequality.FromCount }), "count", 0},
		"confidence 0.35":    {good(), with(plain, func(o *inequality.SlopeOptions) { o.Confidence = 0.35 }), "confidence", 0},
		"confidence 100":     {good(), with(plain, func(o *inequality.SlopeOptions) { o.Confidence = 100 }), "confidence", 0},
		"confidence missing": {good(), with(plain, func(o *inequality.SlopeOptions) { o.Confidence = 0 }), "confidence", 0},
		"multiplier 0":       {good(), with(plain, func(o *inequality.SlopeOptions) { o.Multiplier = 0 }), "multiplier", 0},
		"unheard-of type":    {good(), with(plain, func(o *inequality.SlopeOptions) { o.Type = 9 }), "type", 0},
		"unheard-of source":  {good(), with(plain, func(o *inequality.SlopeOptions) { o.Precision = 9 }), "precision", 0},
	} {
		_, err := inequality.Slope(c.groups, c.options)
		var input *inequality.InputError
		if !errors.As(err, &input) || input.Field != c.field || input.Quantile != c.quantile || input.Rule == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A line that comes close to 0 gives an SII, and no RII.
func TestSlopeWithoutLowEnd(t *testing.T) {
	var groups []inequality.Quantile
	for i, v := range []float64{0.001, 0.2, 0.4, 0.6, 0.8} {
		groups = append(groups, inequality.Quantile{Number: i + 1, Population: 100, Value: v, SE: 0.05})
	}
	options := inequality.SlopeOptions{Precision: inequality.FromSE, Multiplier: 1, Confidence: 0.95}
	got, err := inequality.Slope(groups, options)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "SII", got.SII.Value, 1, 0.01)
	if _, ok := got.RII.Get(); ok || !got.RII.NotComputed().LowEnd {
		t.Errorf("RII is %+v", got.RII)
	}
	// the least deprived end counts as well
	for i := range groups {
		groups[i].Number = 5 - i
	}
	got, err = inequality.Slope(groups, options)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := got.RII.Get(); ok || !got.RII.NotComputed().LowEnd {
		t.Errorf("turned round: RII is %+v", got.RII)
	}
}

func TestSlopeLeavesItsInputAlone(t *testing.T) {
	groups := append([]inequality.Quantile(nil), lifeExpectancy...)
	groups[0], groups[9] = groups[9], groups[0]
	if _, err := inequality.Slope(groups, inequality.SlopeOptions{Multiplier: 1, Confidence: 95}); err != nil {
		t.Fatal(err)
	}
	if groups[0].Number != 10 {
		t.Error("the groups were sorted")
	}
}
