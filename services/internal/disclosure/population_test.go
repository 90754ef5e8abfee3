package disclosure_test

import (
	"math"
	"math/rand/v2"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
)

// population is people of an invented country, with what became known about them day by day. Days and vintages are
// counted from 0: vintage v is what was known at the end of day v, for the days up to v.
type population struct {
	days   int
	parts  []part // place x system: only some places lie in two systems
	people []person
	// members of each family, in the order of their index
	neighbourhoods, ethnicities, pcns int
}

// start is day 0.
const start = calendar.Day(20_000)

type part struct{ place, system, region int }

const never = math.MaxInt

type person struct {
	part, quintile, fifth         int // quintile and local fifth 0 = unknown
	neighbourhood, ethnicity, pcn int // ethnicity and pcn -1 = unknown
	day, known                    int // day covered, vintage from which on that is known; never
}

// invent makes a population with many small groups. Late data only ever add people, which is the attacker's best case.
func invent(seed uint64, days int) *population {
	r := rand.New(rand.NewPCG(seed, 9))
	p := &population{days: days, neighbourhoods: 8, ethnicities: 8, pcns: 6, parts: []part{
		{0, 0, 0}, {1, 0, 0}, {2, 0, 0}, {2, 1, 0}, {3, 1, 0}, {4, 2, 1}, {5, 2, 1}, {6, 2, 1}, {7, 3, 1},
	}}
	for i := range p.parts {
		for q := range 6 {
			// From a handful to some hundred, and now and then nobody.
			n := int(math.Exp(1 + r.Float64()*4.2))
			if q == 0 {
				n /= 4
			}
			if r.IntN(8) == 0 {
				n = r.IntN(3) * 5
			}
			// The last two places are small and lie in the most deprived fifth, but have local fifths like all others.
			small := i >= len(p.parts)-2
			if small {
				n = 0
				if q == 1 {
					n = 8 + r.IntN(20)
				}
			}
			willing := 0.4 + 0.6*r.Float64()
			if r.IntN(5) == 0 {
				willing = 1 // nearly everybody: few are left
			}
			pace := 1 + r.Float64()*float64(days)
			for range n {
				x := person{part: i, quintile: q, fifth: q, neighbourhood: min(r.IntN(p.neighbourhoods+2), r.IntN(p.neighbourhoods)),
					ethnicity: min(r.IntN(p.ethnicities), r.IntN(p.ethnicities)+1), pcn: min(r.IntN(p.pcns), i), day: never, known: never}
				if q > 0 {
					x.fifth = 1 + (q-1+r.IntN(2))%5
				}
				if small {
					x.fifth, x.neighbourhood, x.ethnicity = max(1, r.IntN(13)-7), r.IntN(p.neighbourhoods), r.IntN(p.ethnicities)
				}
				if r.IntN(12) == 0 {
					x.ethnicity = -1
				}
				if r.IntN(30) == 0 {
					x.pcn = -1
				}
				if r.Float64() < willing {
					x.day = int(r.ExpFloat64()*pace/2) + r.IntN(3)
					x.known = x.day + int(r.ExpFloat64()*2)
				}
				p.people = append(p.people, x)
			}
		}
	}
	return p
}

// series is the exact counts of a set of groups, [vintage][day][group].
type series [][][]inequality.Count

// count counts the groups that group says a person is in; -1 is none.
func (p *population) count(groups int, group func(person) int) series {
	s := make(series, p.days)
	for v := range s {
		s[v] = make([][]inequality.Count, v+1)
		for d := range s[v] {
			s[v][d] = make([]inequality.Count, groups)
		}
	}
	for _, x := range p.people {
		g := group(x)
		if g < 0 {
			continue
		}
		for v := range s {
			for d := range s[v] {
				s[v][d][g].Eligible++
				if x.known <= v && x.day <= d {
					s[v][d][g].Covered++
				}
			}
		}
	}
	return s
}
