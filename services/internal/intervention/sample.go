package intervention

import "math"

// value is y of one place with the variance that chance alone gives it.
type value struct{ y, v float64 }

// sample is the other places.
type sample []value

// mean is the mean weighted by 1 / (v + tau2), and the sum of the weights.
func (s sample) mean(tau2 float64) (mean, weight float64) {
	for _, x := range s {
		w := 1 / (x.v + tau2)
		mean += w * x.y
		weight += w
	}
	return mean / weight, weight
}

// scatter is the sum of the squared distances from the mean, each divided by v + tau2. It falls as tau2 rises.
func (s sample) scatter(tau2 float64) float64 {
	mean, _ := s.mean(tau2)
	var sum float64
	for _, x := range s {
		sum += (x.y - mean) * (x.y - mean) / (x.v + tau2)
	}
	return sum
}

// between is τ² by Paule and Mandel: the one with which the scatter is what k - 1 degrees of freedom should give, or 0.
func (s sample) between() float64 {
	want := float64(len(s) - 1)
	if s.scatter(0) <= want {
		return 0
	}
	low, high := 0.0, s[0].v
	for s.scatter(high) > want {
		high *= 2
	}
	for range 60 {
		if middle := (low + high) / 2; s.scatter(middle) > want {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// student975 is the 97.5 % point of Student's t with df degrees of freedom, right to 0.001 from df 4 on: the expansion
// 26.7.5 of Abramowitz and Stegun, Handbook of Mathematical Functions (1964).
func student975(df int) float64 {
	const z = 1.959963984540054
	d, power := float64(df), func(n float64) float64 { return math.Pow(z, n) }
	return z +
		(power(3)+z)/(4*d) +
		(5*power(5)+16*power(3)+3*z)/(96*d*d) +
		(3*power(7)+19*power(5)+17*power(3)-15*z)/(384*d*d*d) +
		(79*power(9)+776*power(7)+1482*power(5)-1920*power(3)-945*z)/(92160*d*d*d*d)
}
