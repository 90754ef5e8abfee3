package inequality

import "math"

// weights are what a straight line through ordered groups is made of, by weighted least squares of the groups' values on
// their ridit ranks, with the groups' shares of the population as weights. With d the rank less its mean, 1/2:
//
//	value of the line in the middle  = sum(share value)
//	slope from one end to the other  = sum(slope value), slope = share d / sum(share d²)
//
// The middle is that of the ranks: half of the people are on each side of it.
type weights struct{ share, slope []float64 }

// weigh fills in the weights of groups with these populations, most deprived first.
func (w weights) weigh(population []float64) {
	all := 0.0
	for _, n := range population {
		all += n
	}
	// The rank is the share of people before the group and half of it. Less 1/2 that is half of what lies before less what
	// lies after: taken so, it is exact also for groups that are tiny beside others.
	before, squares := 0.0, 0.0
	for i, n := range population {
		after := all - before - n
		w.share[i] = n / all
		w.slope[i] = (before - after) / (2 * all)
		squares += w.share[i] * w.slope[i] * w.slope[i]
		before += n
	}
	for i := range w.slope {
		w.slope[i] *= w.share[i] / squares
	}
}

// line is a fitted line with the variances of its two ends. The low rank end is that of the most deprived person.
type line struct {
	middle, slope float64
	variance      float64 // of the slope
	first, last   float64 // variances of the values at the most and at the least deprived end
	both          float64 // covariance of the two
}

// fit is the line through values with these standard errors, which are independent.
func (w weights) fit(value, se []float64) line {
	var l line
	for i, y := range value {
		l.middle += w.share[i] * y
	}
	for i, y := range value {
		l.slope += w.slope[i] * (y - l.middle) // the same as without the middle, but for rounding
		v := se[i] * se[i]
		first, last := w.share[i]-w.slope[i]/2, w.share[i]+w.slope[i]/2
		l.variance += w.slope[i] * w.slope[i] * v
		l.first += first * first * v
		l.last += last * last * v
		l.both += first * last * v
	}
	return l
}

// limits are those of the slope, z standard errors away.
func (l line) limits(z float64) (low, high float64) {
	half := z * math.Sqrt(l.variance)
	return l.slope - half, l.slope + half
}

// back gives the SII, the RII and the value at the most deprived end of a line that was fitted on a scale from which
// inverse leads back. The limits of the slope are turned about the middle of the line.
func (l line) back(inverse func(float64) float64, z float64) (sii, rii Estimate, first float64) {
	low, high := l.limits(z)
	at := func(slope float64) (float64, float64) {
		return inverse(l.middle - slope/2), inverse(l.middle + slope/2)
	}
	f, t := at(l.slope)
	fl, tl := at(low)
	fh, th := at(high)
	return Estimate{t - f, tl - fl, th - fh}, Estimate{t / f, tl / fl, th / fh}, f
}

// clearly is how many standard errors both ends of a line must lie above 0 for their ratio: those of a 99.8 % interval, the
// wider of the two that PHE's indicators use.
const clearly = 3.090232306167813

// ratio is the RII of a line on the natural scale: its value at the least deprived end over that at the most deprived
// end. Its interval is Fieller's, which takes in that both ends are uncertain, and together:
//
//	the r for which (last - r first)² <= z² (var last - 2 r cov + r² var first)
//
// It holds 1 exactly where the interval of the slope holds 0. It is false where an end is not clearly above 0.
//
// Source: Fieller, J R Stat Soc B 1954;16:175-185. METHOD.md leaves this interval open; the simulated one of phe_sii takes
// in both ends too.
func (l line) ratio(z float64) (Estimate, bool) {
	first, last := l.middle-l.slope/2, l.middle+l.slope/2
	c := max(clearly, z)
	if first <= c*math.Sqrt(l.first) || last <= c*math.Sqrt(l.last) {
		return Estimate{}, false
	}
	a := first*first - z*z*l.first
	b := first*last - z*z*l.both
	d := last*last - z*z*l.last
	value := last / first
	high := (b + math.Sqrt(max(0, b*b-a*d))) / a
	low := d / (a * high) // the product of the two is d / a: taken so, nothing is lost where they are close
	return Estimate{value, min(low, value), max(high, value)}, true
}

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

func expit(t float64) float64 { return 1 / (1 + math.Exp(-t)) }
