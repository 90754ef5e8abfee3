package inequality

import "math"

// GapOf is the absolute gap: uptake of quintile 5 less uptake of quintile 1, as a fraction of 1. It is positive when the
// least deprived do better. The interval is Newcombe's hybrid score interval with limits z standard errors away ([Z95] for
// 95 %): with Wilson's limits l, u of each share p
//
//	low  = gap - sqrt((p5 - l5)² + (u1 - p1)²)
//	high = gap + sqrt((u5 - p5)² + (p1 - l1)²)
//
// It is not computed where quintile 1 or 5 has fewer than floor eligible people, none, or more covered than eligible. It
// is where nobody or everybody is covered.
//
// Source: Newcombe, Stat Med 1998;17:873-890, method 10.
func GapOf(q Quintiles, floor uint64, z float64) Measure {
	return gapOf(&q, rulesOf(&q, floor), z)
}

func gapOf(q *Quintiles, r rules, z float64) Measure {
	if why, unfit := r.unfit(ends, false); unfit {
		return notComputed[Estimate](why)
	}
	p1, p5 := q[0].share(), q[4].share()
	l1, u1 := wilson(float64(q[0].Covered), float64(q[0].Eligible), z)
	l5, u5 := wilson(float64(q[4].Covered), float64(q[4].Eligible), z)
	gap := p5 - p1
	return computed(Estimate{gap, gap - math.Hypot(p5-l5, u1-p1), gap + math.Hypot(u5-p5, p1-l1)})
}

// ratioOf is the ratio: uptake of quintile 1 over uptake of quintile 5. It is below 1 when the least deprived do better.
// The interval is Katz's, on the logarithmic scale:
//
//	exp(ln ratio ± z sqrt(1/x1 - 1/n1 + 1/x5 - 1/n5))
//
// with x covered and n eligible. It is not computed where [GapOf] is not, nor where quintile 1 or 5 has nobody covered
// (there is no logarithm) or everybody (its variance would be 0, as if such a share were known without error).
//
// Source: Katz et al., Biometrics 1978;34:469-474.
func ratioOf(q *Quintiles, r rules) Measure {
	if why, unfit := r.unfit(ends, true); unfit {
		return notComputed[Estimate](why)
	}
	variance := 0.0
	for _, c := range [...]Count{q[0], q[4]} {
		x, n := float64(c.Covered), float64(c.Eligible)
		variance += float64(c.Eligible-c.Covered) / (x * n) // 1/x - 1/n without loss where they are close
	}
	ratio, factor := q[0].share()/q[4].share(), math.Exp(Z95*math.Sqrt(variance))
	return computed(Estimate{ratio, ratio / factor, ratio * factor})
}
