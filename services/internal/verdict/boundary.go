package verdict

import (
	"math"

	"gapwatch/services/internal/inequality"
)

// Risk is the chance that a place-season with no true change is ever called widening; as high is the chance that it is
// ever called narrowing. The marks are checked by package power.
const Risk = 0.01

// The corrections below are for people who look at all times; those who look once a day see a little less. What is
// bought for this is found by simulation, see the docs of package power.
const lookedAt = 0.0125

// against last season the two cumulative curves of a quintile are empirical distribution functions of the day of
// vaccination, and their difference is what Smirnov's two-sample test compares: a Brownian bridge in uptake p. A
// Brownian bridge ever crosses the line a(1-p) + bp with probability exp(-2ab) (Doob 1949); a = b is Smirnov's bound. So
// any line with ab = ln(1/risk)/2 serves for all days of a season at once, whatever the shape of the season. The one
// taken is narrowest, in standard deviations, at the uptake focus.
type line struct{ atNone, atAll float64 }

// lineFor has its focus at the uptake nearest one half that the last season went through: there the counts vary most,
// and a change is hardest to see. A season that passes 50 % has Smirnov's bound, one from 80 to 95 % a line for 80 %.
func lineFor(first, last float64) line {
	focus := min(max(0.5, first), max(last, first))
	focus = min(max(focus, 0.02), 0.98)
	k := math.Sqrt(math.Log(1/lookedAt) / 2)
	odds := math.Sqrt(focus / (1 - focus))
	return line{atNone: k * odds, atAll: k / odds}
}

// square is the square of the line's height over a share of n people, for independent people.
func (l line) square(c inequality.Count) float64 {
	p := rate(c)
	h := l.atNone*(1-p) + l.atAll*p
	return h * h / float64(c.Eligible)
}

// window is how many days lie between the two days of a DaysEarlier comparison.
const window = 28

// slepian is the number of standard deviations for a comparison with a day so many days earlier, looked at daily for so
// many days. The change over a moving window is a Slepian process: over T windows it exceeds z with probability about
// T z pdf(z) + 1 - cdf(z).
func slepian(looks, window int) float64 { return crossing(max(1, float64(looks)/float64(window))) }

// A rolling programme has no seasons: what counts is a year of looks.
var (
	zRolling = slepian(365, window)
	zYear    = slepian(365, 365)
)

func crossing(times float64) float64 {
	low, high := 1.0, 10.0
	for range 60 {
		z := (low + high) / 2
		if times*z*math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)+math.Erfc(z/math.Sqrt2)/2 > Risk {
			low = z
		} else {
			high = z
		}
	}
	return high
}

// flow is how one quintile changed between two days of one season, as shares of its eligible people on the later day.
type flow struct {
	n          float64 // eligible people on the later day
	now, then  float64 // uptake
	gain, loss float64 // shares gained and lost between the days
}

// variance is that of now - then for one person: g + l - (g-l)^2. Somebody who lapses and comes again within a long time
// is in both flows and yet has not changed; no more people can have than were covered on either day, or not covered.
func (f flow) variance() float64 {
	net := f.now - f.then
	return max(0, min(f.gain+f.loss, f.now+f.then, 2-f.now-f.then)-net*net)
}

// square is the square of the half-width of z standard deviations. The second term is that of Wilson's interval: it
// keeps the half-width honest where only a handful of people have changed.
func (f flow) square(z, phi float64) float64 {
	s := z * z * phi
	return s*f.variance()/f.n + s*s/(4*f.n*f.n)
}
