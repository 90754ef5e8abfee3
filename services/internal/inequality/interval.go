package inequality

import (
	"fmt"
	"math"
)

// Z95 is the 97.5 % point of the standard normal distribution: the limits of a 95 % interval lie as many standard errors
// from the value.
const Z95 = 1.959963984540054

// InputError is a figure that must not be computed with. Trying again does not help: only other figures do.
type InputError struct {
	Quantile int    // number of the group; 0 = not of one group
	Field    string // as the doc comment of the function calls it
	Rule     string // what is asked for
}

func (e *InputError) Error() string {
	if e.Quantile > 0 {
		return fmt.Sprintf("quantile %d: %s %s", e.Quantile, e.Field, e.Rule)
	}
	return e.Field + " " + e.Rule
}

// deviate is how many standard errors the limits of an interval lie from the value. Confidence is given as a fraction
// from 0.9 to 1 or in percent from 90 to 100, as PHEindicatormethods takes it.
func deviate(confidence float64) (float64, error) {
	switch {
	case confidence >= 90 && confidence <= 100:
		confidence /= 100
	case confidence >= 0.9 && confidence <= 1:
	default:
		return 0, &InputError{Field: "confidence", Rule: "must be from 0.9 to 1 or from 90 to 100"}
	}
	if confidence == 0.95 {
		return Z95, nil
	}
	return math.Sqrt2 * math.Erfinv(confidence), nil
}

// Wilson is Wilson's score interval of the share x / n, as fractions of 1:
//
//	(2x + z² ± z sqrt(z² + 4x(1 - x/n))) / (2 (n + z²))
//
// It lies within 0 and 1 and has a width also where x is 0 or n. Confidence is a fraction from 0.9 to 1 or percent from 90
// to 100; at 1 the interval is all of 0 to 1. The error is [*InputError]: n must be above 0, x from 0 to n.
//
// Source: Wilson, J Am Stat Assoc 1927;22:209-212; Newcombe, Stat Med 1998;17:857-872, method 3; as phe_proportion of
// PHEindicatormethods 2.1.0.
func Wilson(x, n, confidence float64) (low, high float64, err error) {
	z, err := deviate(confidence)
	if err != nil {
		return 0, 0, err
	}
	if !(n > 0) || math.IsInf(n, 0) { // also NaN
		return 0, 0, &InputError{Field: "n", Rule: "must be above 0"}
	}
	if !(x >= 0 && x <= n) {
		return 0, 0, &InputError{Field: "x", Rule: "must be from 0 to n"}
	}
	if math.IsInf(z, 1) {
		return 0, 1, nil
	}
	low, high = wilson(x, n, z)
	return low, high, nil
}

// wilson is [Wilson] for limits z standard errors away, of counts that are known to be sound.
func wilson(x, n, z float64) (low, high float64) {
	high = wilsonHigh(x, n, z)
	return x / n * x / (n + z*z) / high, high // the product of the limits: taken so, nothing is lost where x is small
}

func wilsonHigh(x, n, z float64) float64 {
	if x == n {
		return 1 // rounding must not leave it beside the end of the scale
	}
	return (2*x + z*z + z*math.Sqrt(z*z+4*x*(1-x/n))) / (2 * (n + z*z))
}

// wilsonSE is the standard error on the logit scale of the share x / n, 0 < x < n, from its 95 % limits:
//
//	(logit high - logit low) / 2z
//
// That is the logarithm of the ratio of the limits' odds. A limit less 1 is one of the share of the others, so that it is
// right also where few of many are covered, or all but a few.
func wilsonSE(x, n float64) float64 {
	low, high := wilson(x, n, Z95)
	otherLow, otherHigh := wilson(n-x, n, Z95)
	return math.Log(high/otherLow*(otherHigh/low)) / (2 * Z95)
}

// Uptake is the share of the eligible people who are covered, as a fraction of 1: the raw figure, above 1 where more
// people are covered than eligible. It is false where nobody is eligible.
func (c Count) Uptake() (float64, bool) {
	if c.Eligible == 0 {
		return 0, false
	}
	return c.share(), true
}

func (c Count) share() float64 { return float64(c.Covered) / float64(c.Eligible) }

// UptakeOf is the share of the eligible people who are covered with Wilson's 95 % interval, as fractions of 1. It is
// computed for any number of eligible people: the interval says what a small number is worth. It is false where nobody is
// eligible or more people are covered than eligible.
func UptakeOf(c Count) (Estimate, bool) {
	if !broken(c, 0).usable() {
		return Estimate{}, false
	}
	low, high := wilson(float64(c.Covered), float64(c.Eligible), Z95)
	return Estimate{c.share(), low, high}, true
}
