package inequality

import (
	"cmp"
	"math"
	"slices"
)

// ValueType is what the values of quantiles are, which decides the scale of their standard errors.
type ValueType uint8

// The value types.
const (
	Other      ValueType = iota // such as years of life; standard errors on the natural scale
	Rate                        // above 0; standard errors on the scale of the natural logarithm
	Proportion                  // between 0 and 1; standard errors on the logit scale
)

// Precision is what says how precise the values of quantiles are.
type Precision uint8

// The ways to say it.
const (
	FromLimits Precision = iota // their 95 % limits, on the natural scale
	FromSE                      // their standard errors, on the scale of the value type; not together with Transform
	FromCount                   // of proportions, the people counted: value and Wilson's 95 % limits are computed from them
)

// Quantile is one of the ordered groups that [Slope] is fitted to. What is not known is NaN.
type Quantile struct {
	Number     int     // 1 is the most deprived group; every number up to that of the groups occurs once, in any order
	Population float64 // people, above 0
	Value      float64 // on its natural scale; not used with FromCount
	Low, High  float64 // its 95 % limits; used with FromLimits
	SE         float64 // 0 or more; used with FromSE
	Count      float64 // above 0, below Population; used with FromCount
}

// SlopeOptions say what values are and what is to come out.
type SlopeOptions struct {
	Type      ValueType
	Precision Precision
	// Transform fits the line to the logarithm of rates or the logit of proportions. Not for other values.
	Transform bool
	// Multiplier is what the SII is multiplied by: 100 for percentage points. A negative one is for values of which less is
	// better: it turns the sign of the SII and inverts the RII. Not 0.
	Multiplier float64
	// Confidence is that of the intervals: a fraction from 0.9 to 1 or percent from 90 to 100, both ends of 100 % left out.
	Confidence float64
}

// SlopeIndices are the slope and the relative index of inequality.
type SlopeIndices struct {
	SII Estimate
	// RII is not computed where a line that was fitted without Transform is not clearly above 0 at both ends.
	RII       Measure
	Intercept float64 // value of the line at the most deprived end, times the size of the multiplier if transformed
}

// Slope is the slope index (SII) and the relative index (RII) of inequality of 5 to 100 ordered groups of any size, by the
// method of PHE's phe_sii with intervals that need no simulation. See [Measures] for the method; counts of five quintiles
// are measured by [Of], which this is the general form of.
//
// The error is [*InputError]: numbers that are missing or repeated, figures outside the ranges above, or options that do
// not go together. Proportions and limits of exactly 0 or 1 are refused: they have no logit.
//
// Source: phe_sii of PHEindicatormethods 2.1.0 (UKHSA); deterministic intervals as in the project's METHOD.md; Fieller for
// the RII without Transform.
func Slope(groups []Quantile, o SlopeOptions) (SlopeIndices, error) {
	z, err := o.check()
	if err != nil {
		return SlopeIndices{}, err
	}
	if len(groups) < 5 || len(groups) > 100 {
		return SlopeIndices{}, &InputError{Field: "quantiles", Rule: "must be 5 to 100"}
	}
	groups = slices.Clone(groups)
	slices.SortFunc(groups, func(a, b Quantile) int { return cmp.Compare(a.Number, b.Number) })
	population := make([]float64, len(groups))
	value := make([]float64, len(groups))
	se := make([]float64, len(groups))
	for i, g := range groups {
		if g.Number != i+1 {
			return SlopeIndices{}, &InputError{Quantile: i + 1, Field: "number", Rule: "must occur once"}
		}
		if value[i], se[i], err = o.read(g); err != nil {
			return SlopeIndices{}, err
		}
		population[i] = g.Population
	}
	w := weights{make([]float64, len(groups)), make([]float64, len(groups))}
	w.weigh(population)
	line := w.fit(value, se)

	var out SlopeIndices
	if o.Transform {
		inverse := expit
		if o.Type == Rate {
			inverse = math.Exp
		}
		var rii Estimate
		out.SII, rii, out.Intercept = line.back(inverse, z)
		out.RII = computed(rii)
		out.Intercept *= math.Abs(o.Multiplier)
	} else {
		low, high := line.limits(z)
		out.SII = Estimate{line.slope, low, high}
		if rii, ok := line.ratio(z); ok {
			out.RII = computed(rii)
		} else {
			out.RII = notComputed[Estimate](NotComputed{LowEnd: true})
		}
		out.Intercept = line.middle - line.slope/2
	}
	out.multiply(o.Multiplier)
	return out, nil
}

func (s *SlopeIndices) multiply(by float64) {
	s.SII = Estimate{s.SII.Value * by, s.SII.Low * by, s.SII.High * by}
	if by > 0 {
		return
	}
	s.SII.Low, s.SII.High = s.SII.High, s.SII.Low
	if r, ok := s.RII.Get(); ok {
		s.RII = computed(Estimate{1 / r.Value, 1 / r.High, 1 / r.Low})
	}
}

// check gives the standard errors that limits lie from the value.
func (o SlopeOptions) check() (z float64, err error) {
	z, err = deviate(o.Confidence)
	switch {
	case err != nil:
		return 0, err
	case math.IsInf(z, 1):
		return 0, &InputError{Field: "confidence", Rule: "must be below 100 %"}
	case o.Type > Proportion:
		return 0, &InputError{Field: "type", Rule: "must be a value type"}
	case o.Precision > FromCount:
		return 0, &InputError{Field: "precision", Rule: "must be one of the ways to say it"}
	case o.Transform && o.Type == Other:
		return 0, &InputError{Field: "transform", Rule: "is for rates and proportions only"}
	case o.Transform && o.Precision == FromSE:
		return 0, &InputError{Field: "transform", Rule: "needs limits or counts, not standard errors"}
	case o.Precision == FromCount && o.Type != Proportion:
		return 0, &InputError{Field: "count", Rule: "is for proportions only"}
	case o.Multiplier == 0 || math.IsNaN(o.Multiplier) || math.IsInf(o.Multiplier, 0):
		return 0, &InputError{Field: "multiplier", Rule: "must not be 0"}
	}
	return z, nil
}

// read is the value of a group and its standard error, on the scale that the line is fitted on.
func (o SlopeOptions) read(g Quantile) (value, se float64, err error) {
	bad := func(field, rule string) error {
		return &InputError{Quantile: g.Number, Field: field, Rule: rule}
	}
	if !(g.Population > 0) || math.IsInf(g.Population, 1) {
		return 0, 0, bad("population", "must be above 0")
	}
	if o.Precision == FromCount {
		if !(g.Count > 0 && g.Count < g.Population) {
			return 0, 0, bad("count", "must be above 0 and below the population")
		}
		p, se := g.Count/g.Population, wilsonSE(g.Count, g.Population)
		if o.Transform {
			return math.Log(g.Count / (g.Population - g.Count)), se, nil
		}
		return p, p * (1 - p) * se, nil
	}
	in, rule := func(float64) bool { return true }, "must be a number"
	scale := func(v float64) float64 { return v }
	natural := 1.0 // what a standard error is multiplied by on the way back to the natural scale
	switch o.Type {
	case Rate:
		in, rule = func(v float64) bool { return v > 0 }, "must be above 0"
		scale, natural = math.Log, g.Value
	case Proportion:
		in, rule = func(v float64) bool { return v > 0 && v < 1 }, "must be between 0 and 1"
		scale, natural = logit, g.Value*(1-g.Value)
	}
	ok := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) && in(v) }
	if !ok(g.Value) {
		return 0, 0, bad("value", rule)
	}
	if o.Precision == FromSE {
		if !(g.SE >= 0) || math.IsInf(g.SE, 1) {
			return 0, 0, bad("se", "must be 0 or more")
		}
		se = g.SE
	} else {
		for _, limit := range [...]float64{g.Low, g.High} {
			if !ok(limit) {
				return 0, 0, bad("limits", rule)
			}
		}
		if g.Low > g.High {
			return 0, 0, bad("limits", "must be the lower one first")
		}
		se = (scale(g.High) - scale(g.Low)) / (2 * Z95)
	}
	if o.Transform {
		return scale(g.Value), se, nil
	}
	return g.Value, natural * se, nil
}
