package simulate

import (
	"math/rand/v2"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// person is one synthetic person, packed: there are millions.
type person struct {
	born      calendar.Day
	home      uint16 // spot
	practice  uint16
	ethnicity uint8
	traits    traits
}

type traits uint8

const (
	severeMentalIllness traits = 1 << iota
	learningDisability
	hypertension
	excluded // has a condition that takes them out of NHS Health Checks
	newcomer // became eligible in the middle of each season
	rekeyed  // has another pseudonym since the key was changed
)

func (p *person) has(t traits) bool { return p.traits&t != 0 }

// age in whole years on a day, near enough.
func (p *person) age(on calendar.Day) int { return int(float64(on-p.born) / 365.2425) }

// ages is how old people are: up to an age, a share of everybody.
var ages = []struct {
	upTo  int
	share float64
}{{18, 0.21}, {40, 0.285}, {65, 0.32}, {75, 0.10}, {85, 0.06}, {99, 0.025}}

// draw is the age in years of somebody who is older than a share of all people.
func draw(share float64) float64 {
	from := 0
	for _, band := range ages {
		if share < band.share {
			return float64(from) + share/band.share*float64(band.upTo-from)
		}
		share -= band.share
		from = band.upTo
	}
	return float64(from) // rounding
}

func newPeople(seed uint64, n int, l *land, today calendar.Day) []person {
	r := rand.New(rand.NewPCG(seed, 2))
	// People are dealt out to LSOAs by weight through a table of 1/16384 shares.
	const slots = 1 << 14
	total := 0.0
	for _, a := range l.lsoas {
		total += a.weight
	}
	deal, sum, at := make([]uint16, slots), l.lsoas[0].weight, 0
	for i := range deal {
		for sum < total*float64(i)/slots && at < len(l.lsoas)-1 {
			at++
			sum += l.lsoas[at].weight
		}
		deal[i] = uint16(at)
	}
	people := make([]person, n)
	for i := range people {
		p := &people[i]
		at := int(deal[r.IntN(slots)])
		a := &l.lsoas[at]
		p.home = uint16(firstSpot + at)
		p.born = today - calendar.Day(draw(r.Float64())*365.2425)
		p.practice, p.ethnicity = l.register(r, a)
		quintile := l.spots[p.home].quintile
		age := p.age(today)
		poor := 1 + 0.12*float64(3-int(quintile))
		if r.Float64() < 0.011*poor {
			p.traits |= severeMentalIllness
		}
		if r.Float64() < 0.006*poor {
			p.traits |= learningDisability
		}
		if ill := r.Float64() / poor; age >= 65 && ill < 0.58 || age >= 40 && ill < 0.26 || age >= 18 && ill < 0.03 {
			p.traits |= hypertension
		}
		if r.Float64() < 0.12 || p.has(hypertension) && age >= 60 {
			p.traits |= excluded
		}
		if r.IntN(97) == 0 {
			p.traits |= newcomer
		}
		if r.IntN(250) == 0 {
			p.traits |= rekeyed
		}
		if r.IntN(250) == 0 { // people of no known address
			p.home = nowhere
		}
	}
	return people
}

// register draws practice and ethnic category of somebody who lives in a.
func (l *land) register(r *rand.Rand, a *lsoa) (practice uint16, ethnicity uint8) {
	u := r.Uint32()
	switch n := u % 1000; {
	case n < 5:
		practice = noPractice
	case n < 8:
		practice = l.unlistedPractice()
	default:
		practice = a.practices[[8]int{0, 0, 0, 0, 0, 1, 1, 2}[u>>10&7]]
	}
	switch n := u >> 16 % 100; {
	case n < 3:
		ethnicity = 0
	default:
		ethnicity = a.ethnicity[[8]int{0, 0, 0, 1, 1, 2, 3, 4}[u>>24&7]]
	}
	return practice, ethnicity
}

// eligible tells whether somebody is in the eligible group of a season. on is the day that age and register count by:
// the season's last day for vaccinations, the day itself for checks.
func eligible(p *programme.Programme, season programme.Season, someone *person, on calendar.Day) bool {
	switch p.ID {
	case "covid-autumn":
		limit := 65
		if season.Start >= calendar.Date(2025, 7, 1) {
			limit = 75
		} else if season.Start < calendar.Date(2023, 7, 1) {
			limit = 50
		}
		return someone.age(season.End) >= limit
	case "nhs-health-check":
		age := someone.age(on)
		return age >= 40 && age <= 74 && !someone.has(excluded)
	case "smi-health-check":
		return someone.has(severeMentalIllness) && someone.age(on) >= 18
	case "ld-health-check":
		return someone.has(learningDisability) && someone.age(on) >= 14
	case "bp-check":
		return someone.has(hypertension) && someone.age(on) >= 18
	}
	switch p.Kind {
	case programme.Cohort:
		if days := season.End - someone.born; days < 4*365 || days > 8*366 {
			return false // spares nearly everybody the calendar
		}
		fifth := someone.born.AddMonths(60)
		return season.Start <= fifth && fifth <= season.End
	case programme.Rolling:
		return someone.age(on) >= 40 && someone.age(on) <= 74
	default: // flu-65, and seasonal programmes that a deployment adds
		return someone.age(season.End) >= 65
	}
}
