package inequality

import "math"

// Measures are the measures of one geography on one day. Shares, gap and SII are fractions of 1, intervals hold 95 %.
//
// SII (slope index of inequality) and RII (relative index of inequality) are by the method of PHE: a line through the five
// quintiles by ridit rank (the share of people who are more deprived, from 0 to 1), weighted by eligible people. The SII is
// the line's value at the least deprived end less that at the most deprived end, the RII the one over the other. So
// SII > 0 and RII > 1 when the least deprived do better, whereas [Measures.Ratio] is then below 1.
//
// The logit ones are fitted to the logit of uptake and turned back at the ends, as the method's authors recommend for
// proportions: they are the headline. The linear ones are fitted to uptake itself. The two are never mixed.
//
// Intervals of SII and RII take each quintile's standard error from its Wilson limits on the logit scale, as phe_sii
// does: se = (logit high - logit low) / 2z. Instead of simulating they use Var(slope) = sum(slope weight² se²). The limits
// of the logit ones turn the slope about the line's middle. The linear ones use p (1 - p) se; where nobody or everybody is
// covered that is 0 times infinity, and the standard error is (high - low) / 2z of the Wilson limits themselves (about
// 1 / eligible, as for a quintile with one person covered). The interval of the linear RII is Fieller's.
//
// No measure of inequality uses a quintile that has fewer eligible people than the floor, none, or more covered than
// eligible. Ratio, logit SII and logit RII also need somebody covered and somebody not in every quintile they use. The
// linear RII also needs a line that is clearly above 0 at both ends, by 3.09 standard errors (99.8 %): below that the
// division has no meaning.
//
// Source: Low and Low, J Public Health 2004;26:390-395; phe_sii of PHEindicatormethods 2.1.0 (UKHSA).
type Measures struct {
	Uptake     [5]Measure  // of each quintile; Wilson's interval: see [UptakeOf]
	Gap        Measure     // uptake of quintile 5 less that of quintile 1: see [GapOf]
	Ratio      Measure     // uptake of quintile 1 over that of quintile 5; Katz's interval
	SII        Measure     // on the logit scale: the headline
	RII        Measure     // on the logit scale
	LinearSII  Measure     // on the scale of uptake itself
	LinearRII  Measure     // on the scale of uptake itself; Fieller's interval
	Short      [5]People   // people of each quintile short to the best one: see [ShortToBest]
	ShortAll   People      // the sum of Short, where all five are computed
	BiggestWin Result[Win] // see [BiggestWinOf]
}

// Of computes all measures of five quintiles. The floor is the programme's: a quintile with fewer eligible people is in no
// measure but its own uptake. It allocates nothing.
func Of(q Quintiles, floor uint64) Measures {
	var m Measures
	r := rulesOf(&q, floor)
	for i, c := range q {
		if uptake, ok := UptakeOf(c); ok {
			m.Uptake[i] = computed(uptake)
		} else {
			why, _ := r.unfit(1<<i, false)
			m.Uptake[i] = notComputed[Estimate](why)
		}
	}
	m.Gap = gapOf(&q, r, Z95)
	m.Ratio = ratioOf(&q, r)
	m.slopes(&q, r)
	m.Short = shortToBest(&q, r)
	m.ShortAll = shortAll(&m.Short, r)
	m.BiggestWin = biggestWin(&q, r)
	return m
}

// slopes fills in SII and RII.
func (m *Measures) slopes(q *Quintiles, r rules) {
	if why, unfit := r.unfit(everywhere, false); unfit {
		none := notComputed[Estimate](why)
		m.LinearSII, m.LinearRII = none, none
		// the logit ones have all the reasons
		why, _ = r.unfit(everywhere, true)
		none = notComputed[Estimate](why)
		m.SII, m.RII = none, none
		return
	}
	var eligible, share, slope, value, se [5]float64
	for i, c := range q {
		eligible[i] = float64(c.Eligible)
	}
	w := weights{share[:], slope[:]}
	w.weigh(eligible[:])

	for i, c := range q {
		up, _ := m.Uptake[i].Get()
		value[i] = up.Value
		if r.of[i] == NoneBroken {
			x, rest := float64(c.Covered), float64(c.Eligible-c.Covered)
			se[i] = x * rest / (eligible[i] * eligible[i]) * wilsonSE(x, eligible[i])
		} else {
			se[i] = (up.High - up.Low) / (2 * Z95)
		}
	}
	linear := w.fit(value[:], se[:])
	low, high := linear.limits(Z95)
	m.LinearSII = computed(Estimate{linear.slope, low, high})
	if rii, ok := linear.ratio(Z95); ok {
		m.LinearRII = computed(rii)
	} else {
		m.LinearRII = notComputed[Estimate](NotComputed{LowEnd: true})
	}

	if why, unfit := r.unfit(everywhere, true); unfit {
		none := notComputed[Estimate](why)
		m.SII, m.RII = none, none
		return
	}
	for i, c := range q {
		x, rest := float64(c.Covered), float64(c.Eligible-c.Covered)
		value[i], se[i] = math.Log(x/rest), wilsonSE(x, eligible[i])
	}
	sii, rii, _ := w.fit(value[:], se[:]).back(expit, Z95)
	m.SII, m.RII = computed(sii), computed(rii)
}
