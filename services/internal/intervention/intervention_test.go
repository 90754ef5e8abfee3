package intervention_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/intervention"
)

const from calendar.Day = 20_000

// window is six weeks before and four after.
var window = intervention.Window{Start: from - 43, Before: from - 1, End: from + 27}

// place is a place with as many eligible in each quintile and the covered of quintiles 1 and 5 on the three days.
func place(code string, eligible uint64, most, least [3]uint64) intervention.Place {
	p := intervention.Place{Code: code}
	for day, q := range []*inequality.Quintiles{&p.Start, &p.Before, &p.End} {
		for i := range q {
			q[i].Eligible = eligible
		}
		q[0].Covered, q[4].Covered = most[day], least[day]
	}
	return p
}

// five is other places of one size whose paces change by 0, 10, 20, 30 and 40 in 10,000 a week and whose gaps change by
// 100 to 500 in 10,000.
func five() []intervention.Place {
	var others []intervention.Place
	for i := range uint64(5) {
		others = append(others, place(fmt.Sprint("X", i), 10_000, [3]uint64{1000, 1600, 2000 + 40*i}, [3]uint64{2000, 2600, 3100 + 140*i}))
	}
	return others
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// By hand: with places of one size it is the interval of a new observation against five others, ± t(4) s √(1 + 1/5), but for
// the chance in the place itself, where other shares become covered: 3 % after 6 % here, 4.8 % after 6 % elsewhere, 5 % and
// 7.8 % in quintile 5.
func TestEffectByHand(t *testing.T) {
	// 300 newly covered in four weeks after 600 in six, quintile 5 with 500: pace -25 a week, gap +200.
	got := intervention.Estimate(window, place("here", 10_000, [3]uint64{1000, 1600, 1900}, [3]uint64{2000, 2600, 3100}), five(), 100)
	reversed := five()
	slices.Reverse(reversed)
	if again := intervention.Estimate(window, place("here", 10_000, [3]uint64{1000, 1600, 1900}, [3]uint64{2000, 2600, 3100}), reversed, 100); !reflect.DeepEqual(got, again) {
		t.Errorf("the order of the places matters: %+v, %+v", got, again)
	}
	const t4 = 2.7764451
	const s2 = 2.5 // variance of 0, 1, 2, 3, 4
	ofPace := func(after, before float64) float64 {
		return (after*(1-after)/16 + before*(1-before)/36 + 2*after*before/24) / 10_000
	}
	ofGap := func(most, least float64) float64 { return (most*(1-most) + least*(1-least)) / 10_000 }
	for name, c := range map[string]struct {
		got                   intervention.Effect
		here, elsewhere, half float64
	}{
		"pace": {got.Pace, -25e-4, 20e-4, t4 * math.Sqrt(1.2*s2*10e-4*10e-4+ofPace(0.03, 0.06)-ofPace(0.048, 0.06))},
		"gap":  {got.Gap, 200e-4, 300e-4, t4 * math.Sqrt(1.2*s2*100e-4*100e-4+ofGap(0.03, 0.05)-ofGap(0.048, 0.078))},
	} {
		e := c.got
		if e.NotComputed != "" || e.Places != 5 || !near(e.Here, c.here) || !near(e.Elsewhere, c.elsewhere) || !near(e.Effect, c.here-c.elsewhere) {
			t.Errorf("%s: %+v", name, e)
		}
		if half := (e.High - e.Low) / 2; math.Abs(half/c.half-1) > 0.001 || !near((e.High+e.Low)/2, e.Effect) {
			t.Errorf("%s: ± %.6f, should be %.6f", name, half, c.half)
		}
		if len(e.Placebos) != 5 || e.Placebos[0].Code != "X0" || !near(e.Placebos[0].Effect/e.Placebos[1].Effect, 2) || !near(e.Placebos[2].Effect, 0) {
			t.Errorf("%s: placebos %+v", name, e.Placebos)
		}
	}
	if p := got.Gap.Placebos[4].Effect; !near(p, 250e-4) { // 500 less the mean of 100, 200, 300 and 400
		t.Errorf("placebo %f", p)
	}
	if got.Pace.AsLarge != 0 || got.Gap.AsLarge != 4 { // 250, 125, 0, 125 and 250 against 100
		t.Errorf("as large: %d, %d", got.Pace.AsLarge, got.Gap.AsLarge)
	}
	if got.LeftOut != nil {
		t.Errorf("left out: %v", got.LeftOut)
	}
}

// Places that scatter less than chance make the interval no wider than they do.
func TestPlacesThatAgree(t *testing.T) {
	var others []intervention.Place
	for i := range uint64(5) {
		others = append(others, place(fmt.Sprint(i), 10_000, [3]uint64{1000, 1600, 2000 + i%2}, [3]uint64{2000, 2600, 3100}))
	}
	e := intervention.Estimate(window, others[0], others, 100).Gap
	// Of 0, -1, 0, -1 and 0 in 10,000 the standard deviation is √0.3.
	if half := (e.High - e.Low) / 2; math.Abs(half/(2.7764451*math.Sqrt(1.2*0.3)*1e-4)-1) > 0.01 {
		t.Errorf("± %.7f", half)
	}
}

// A place with a hundredth of the others' people has a wider interval, and counts less among the others.
func TestSizes(t *testing.T) {
	small := place("small", 100, [3]uint64{10, 16, 20}, [3]uint64{20, 26, 31})
	large := place("large", 10_000, [3]uint64{1000, 1600, 2000}, [3]uint64{2000, 2600, 3100})
	ofSmall, ofLarge := intervention.Estimate(window, small, five(), 100).Pace, intervention.Estimate(window, large, five(), 100).Pace
	if a, b := ofSmall.High-ofSmall.Low, ofLarge.High-ofLarge.Low; a < 3*b || !near(ofSmall.Here, ofLarge.Here) {
		t.Errorf("width %f for a small place, %f for a large one", a, b)
	}
	odd := place("odd", 100, [3]uint64{10, 16, 24}, [3]uint64{20, 26, 31}) // twice as many people, in a small place
	e := intervention.Estimate(window, large, append(five(), odd), 100).Pace
	if e.Places != 6 || e.Elsewhere > 26e-4 { // 33e-4 were they to count alike
		t.Errorf("a small place decides: %+v", e)
	}
	// Nobody in the place itself: the chance is as elsewhere.
	still := place("still", 100, [3]uint64{10, 10, 10}, [3]uint64{20, 26, 31})
	if e := intervention.Estimate(window, still, five(), 100).Pace; math.Abs((e.High-e.Low)/(ofSmall.High-ofSmall.Low)-1) > 0.1 {
		t.Errorf("nobody here: %+v, where some come %+v", e, ofSmall)
	}
}

func TestNotComputed(t *testing.T) {
	here := place("here", 10_000, [3]uint64{1000, 1600, 1900}, [3]uint64{2000, 2600, 3100})
	check := func(name string, got intervention.Effects, pace, gap intervention.Reason, places, gapPlaces int, leftOut ...intervention.LeftOut) {
		t.Helper()
		if got.Pace.NotComputed != pace || got.Gap.NotComputed != gap || got.Pace.Places != places || got.Gap.Places != gapPlaces || !reflect.DeepEqual(got.LeftOut, leftOut) {
			t.Errorf("%s: %+v", name, got)
		}
		for _, e := range []intervention.Effect{got.Pace, got.Gap} {
			if e.NotComputed != "" && !reflect.DeepEqual(e, intervention.Effect{NotComputed: e.NotComputed, Places: e.Places}) {
				t.Errorf("%s has figures: %+v", name, e)
			}
		}
	}
	change := func(edit func(p []intervention.Place)) []intervention.Place {
		p := five()
		edit(p)
		return p
	}
	none := intervention.NotEnoughPlaces
	check("four places", intervention.Estimate(window, here, five()[:4], 100), none, none, 4, 4)
	check("no places", intervention.Estimate(window, here, nil, 100), none, none, 0, 0)
	check("an intervention elsewhere", intervention.Estimate(window, here, change(func(p []intervention.Place) { p[3].Intervened = true }), 100),
		none, none, 4, 4, intervention.LeftOut{Code: "X3", Reason: intervention.Intervened})
	check("few eligible", intervention.Estimate(window, here, change(func(p []intervention.Place) { p[0].End[0] = inequality.Count{Covered: 50, Eligible: 99} }), 100),
		none, none, 4, 4, intervention.LeftOut{Code: "X0", Reason: intervention.TooFewEligible})
	check("few eligible in quintile 5", intervention.Estimate(window, here, change(func(p []intervention.Place) { p[0].End[4].Eligible = 0 }), 100),
		"", none, 5, 4)
	check("few eligible in quintile 3", intervention.Estimate(window, here, change(func(p []intervention.Place) { p[0].End[2].Eligible = 0 }), 100),
		"", "", 5, 5)
	check("over", intervention.Estimate(window, here, change(func(p []intervention.Place) { p[1].Before[0].Covered = 10_001 }), 100),
		none, none, 4, 4, intervention.LeftOut{Code: "X1", Reason: intervention.CoveredOverEligible})
	mine := here
	mine.Intervened = true
	check("its own intervention", intervention.Estimate(window, mine, five(), 100), "", "", 5, 5)
	mine.End[4] = inequality.Count{Covered: 50, Eligible: 99}
	check("few eligible here", intervention.Estimate(window, mine, five(), 100), "", intervention.TooFewEligible, 5, 5)
	mine.End[4] = inequality.Count{Covered: 200, Eligible: 199}
	check("over here", intervention.Estimate(window, mine, five(), 100), "", intervention.CoveredOverEligible, 5, 5)
	check("nobody elsewhere", intervention.Estimate(window, here, change(func(p []intervention.Place) {
		for i := range p {
			p[i].Start, p[i].End = p[i].Before, p[i].Before
		}
	}), 100), intervention.NobodyNewlyCovered, intervention.NobodyNewlyCovered, 5, 5)
}

func TestWindow(t *testing.T) {
	for name, c := range map[string]struct {
		from, to, last, first calendar.Day
		want                  intervention.Window
		reason                intervention.Reason
	}{
		"to the last complete day": {from, calendar.Far, from + 27, from - 100, window, ""},
		"over":                     {from, from + 27, from + 60, from - 100, window, ""},
		"six weeks at most":        {from, from + 27, from + 60, from - 44, window, ""},
		"early in the season":      {from, from + 27, from + 60, from - 20, intervention.Window{Start: from - 20, Before: from - 1, End: from + 27}, ""},
		"two weeks":                {from, from + 27, from + 60, from - 15, intervention.Window{Start: from - 15, Before: from - 1, End: from + 27}, ""},
		"less than two weeks":      {from, from + 27, from + 60, from - 14, intervention.Window{}, intervention.NothingBefore},
		"a week":                   {from, from + 27, from + 6, from - 43, intervention.Window{Start: from - 43, Before: from - 1, End: from + 6}, ""},
		"less than a week":         {from, from + 27, from + 5, from - 43, intervention.Window{}, intervention.TooEarly},
	} {
		if w, r := intervention.NewWindow(c.from, c.to, c.last, c.first); w != c.want || r != c.reason {
			t.Errorf("%s: %+v, %q, should be %+v, %q", name, w, r, c.want, c.reason)
		}
	}
	for _, c := range []struct {
		from, to calendar.Day
		want     bool
	}{
		{window.Start - 9, window.Start, false}, {window.Start - 9, window.Start + 1, true}, {window.End, calendar.Far, true}, {window.End + 1, calendar.Far, false},
	} {
		if got := window.Overlaps(c.from, c.to); got != c.want {
			t.Errorf("%v to %v: %t", c.from, c.to, got)
		}
	}
}

// world is how places are drawn.
type world struct {
	places  int
	size    float64 // median eligible people of a quintile
	spread  float64 // standard deviation of its logarithm
	differ  float64 // standard deviation of the logarithm of the places' paces
	change  float64 // standard deviation of the logarithm by which each place and quintile changes its pace after day Before
	cluster float64 // over-dispersion of the people who come in a week; 1: independent
}

// draw is one place and, where its pace in quintile 1 is multiplied by effect, what that does to pace and gap.
func (w world) draw(rng *rand.Rand, code string, effect float64) (p intervention.Place, pace, gap float64) {
	p.Code = code
	size := w.size * math.Exp(w.spread*rng.NormFloat64())
	level := math.Exp(w.differ * rng.NormFloat64())
	for _, q := range []int{0, 4} {
		n := uint64(max(120, size*math.Exp(0.5*rng.NormFloat64())))
		hazard := 0.02 * level // a week
		covered := binomial(rng, n, 0.10)
		if q == 4 {
			hazard, covered = 0.04*level, binomial(rng, n, 0.15)
		}
		week := func(hazard float64) {
			if w.cluster > 1 { // a log-normal hazard with which the variance of the people who come is cluster times their mean
				v := math.Log1p((w.cluster - 1) / (hazard * float64(n-covered)))
				hazard *= math.Exp(math.Sqrt(v)*rng.NormFloat64() - v/2)
			}
			covered += binomial(rng, n-covered, -math.Expm1(-hazard))
		}
		p.Start[q] = inequality.Count{Covered: covered, Eligible: n}
		for range 6 {
			week(hazard)
		}
		p.Before[q] = inequality.Count{Covered: covered, Eligible: n}
		hazard *= 0.8 * math.Exp(w.change*rng.NormFloat64())
		if q == 0 {
			more := float64(n-covered) / float64(n) * (math.Exp(-4*hazard) - math.Exp(-4*hazard*effect))
			pace, gap = more/4, -more
			hazard *= effect
		}
		for range 4 {
			week(hazard)
		}
		p.End[q] = inequality.Count{Covered: covered, Eligible: n}
	}
	return p, pace, gap
}

// binomial draws from the binomial distribution; of more than 50 expected on both sides by its normal approximation.
func binomial(rng *rand.Rand, n uint64, p float64) uint64 {
	if n == 0 || p <= 0 {
		return 0
	}
	mean := float64(n) * p
	if mean*(1-p) > 50 {
		return uint64(max(0, min(float64(n), math.Round(mean+math.Sqrt(mean*(1-p))*rng.NormFloat64()))))
	}
	var k uint64
	for sum, end := 0.0, math.Log1p(-p); k < n; k++ { // the waiting times of n exponential variables
		if sum += math.Log(1-rng.Float64()) / float64(n-k); sum < end {
			break
		}
	}
	return k
}

// 1,000 systems of 5 to 20 places without an effect and 1,000 with a pace half as high again. Sizes, paces, how paces change
// and whether people come in clusters differ from system to system, so no one of these makes the interval right.
func TestIntervalHoldsTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for _, effect := range []float64{1, 1.5} {
		var pace, gap, excludes0 int
		var width float64
		const runs = 1000
		for range runs {
			w := world{
				places: []int{5, 6, 8, 10, 20}[rng.IntN(5)],
				size:   []float64{1000, 3000, 10_000}[rng.IntN(3)], spread: 0.4 + 0.8*rng.Float64(),
				differ: 0.3 * rng.Float64(), change: 0.25 * rng.Float64(), cluster: 1 + float64(rng.IntN(2)),
			}
			here, truePace, trueGap := w.draw(rng, "here", effect)
			var others []intervention.Place
			for i := range w.places {
				p, _, _ := w.draw(rng, fmt.Sprint(i), 1)
				others = append(others, p)
			}
			e := intervention.Estimate(window, here, others, 100)
			if e.Pace.NotComputed != "" || e.Gap.NotComputed != "" {
				t.Fatalf("%+v", e)
			}
			if e.Pace.Low <= truePace && truePace <= e.Pace.High {
				pace++
			}
			if e.Gap.Low <= trueGap && trueGap <= e.Gap.High {
				gap++
			}
			if e.Pace.Low > 0 || e.Pace.High < 0 {
				excludes0++
			}
			width += e.Pace.High - e.Pace.Low
		}
		t.Logf("pace times %.1f: the interval holds the truth in %.1f %% of runs (pace), %.1f %% (gap); that of the pace excludes 0 in %.1f %% and is %.2f points a week wide",
			effect, 100*float64(pace)/runs, 100*float64(gap)/runs, 100*float64(excludes0)/runs, 100*width/runs)
		for name, n := range map[string]int{"pace": pace, "gap": gap} {
			if n < 0.93*runs || n > 0.97*runs {
				t.Errorf("pace times %.1f: the interval of the %s holds the truth in %d of %d runs", effect, name, n, runs)
			}
		}
	}
}
