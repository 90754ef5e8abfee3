package power

import (
	"math"
	"math/rand/v2"
)

// come is how many of n people come when each comes with probability p. Above phi = 1 their chances share a common
// shock of the day (beta-binomial), so that the variance of the number is phi times that of independent people.
func come(r *rand.Rand, n int, p, phi float64) int {
	if phi <= 1 || n < 3 || p <= 0 || p >= 1 {
		return binomial(r, n, p)
	}
	spread := float64(n-1)/(phi-1) - 1
	if spread < 0.1 {
		spread = 0.1 // fewer people than phi: they nearly all come or stay away together
	}
	a, b := gamma(r, p*spread), gamma(r, (1-p)*spread)
	if a+b == 0 {
		return 0
	}
	return binomial(r, n, a/(a+b))
}

// binomial draws by counting the gaps between those who come where they are few, else by BTRS (Hörmann 1993, "The
// generation of binomial random variates"). Both are exact.
func binomial(r *rand.Rand, n int, p float64) int {
	switch {
	case n <= 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - binomial(r, n, 1-p)
	case float64(n)*p < 10:
		return few(r, n, p)
	}
	size, q := float64(n), 1-p
	sd := math.Sqrt(size * p * q)
	b := 1.15 + 2.53*sd
	a := -0.0873 + 0.0248*b + 0.01*p
	centre, inside := size*p+0.5, 0.92-4.2/b
	odds, alpha := p/q, (2.83+5.1/b)*sd
	mode := math.Floor((size + 1) * p)
	for {
		u, v := r.Float64()-0.5, r.Float64()
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + centre)
		if us >= 0.07 && v <= inside {
			return int(k)
		}
		if k < 0 || k > size {
			continue
		}
		v = math.Log(v * alpha / (a/(us*us) + b))
		if v <= (mode+0.5)*math.Log((mode+1)/(odds*(size-mode+1)))+
			(size+1)*math.Log((size-mode+1)/(size-k+1))+
			(k+0.5)*math.Log(odds*(size-k+1)/(k+1))+
			stirling(mode)+stirling(size-mode)-stirling(k)-stirling(size-k) {
			return int(k)
		}
	}
}

func few(r *rand.Rand, n int, p float64) int {
	stay, at := math.Log1p(-p), 0.0
	for k := 0; ; k++ {
		at += math.Floor(math.Log(1-r.Float64())/stay) + 1
		if at > float64(n) {
			return k
		}
	}
}

// stirling is the remainder of Stirling's formula for k!.
func stirling(k float64) float64 {
	k++
	return (1./12 - (1./360-1./1260/k/k)/k/k) / k
}

// gamma draws from a gamma distribution of scale 1 (Marsaglia and Tsang 2000).
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(1-r.Float64(), 1/shape)
	}
	d := shape - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
