package simulate

import (
	"math"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// curve is who comes and how fast, by quintile (0 = unknown, 1 = most deprived to 5).
type curve struct {
	final [6]float64 // share that is covered in the end; for rolling programmes, that comes regularly
	pace  [6]float64 // seasonal: days after the start by which 63 % of those have come
}

// curves are invented, but of the size that is published for England: the most deprived come later and fewer of them.
var curves = map[string]curve{
	"flu-65": {
		final: [6]float64{0.55, 0.72, 0.755, 0.785, 0.805, 0.82},
		pace:  [6]float64{34, 34, 32, 31, 30, 29},
	},
	"covid-autumn": {
		final: [6]float64{0.40, 0.48, 0.56, 0.62, 0.67, 0.70},
		pace:  [6]float64{38, 38, 35, 33, 31, 29},
	},
	"mmr-2":            {final: [6]float64{0.80, 0.86, 0.89, 0.91, 0.93, 0.945}},
	"nhs-health-check": {final: [6]float64{0.25, 0.36, 0.41, 0.45, 0.49, 0.53}},
	"smi-health-check": {final: [6]float64{0.45, 0.56, 0.60, 0.64, 0.68, 0.72}},
	"ld-health-check":  {final: [6]float64{0.60, 0.70, 0.74, 0.77, 0.79, 0.81}},
	"bp-check":         {final: [6]float64{0.55, 0.64, 0.69, 0.73, 0.77, 0.80}},
}

// usual is the curve of programmes that a deployment adds.
var usual = curve{
	final: [6]float64{0.50, 0.56, 0.61, 0.66, 0.70, 0.74},
	pace:  [6]float64{36, 36, 33, 31, 29, 27},
}

// by is the share of a quintile that has come by so many days after the start of a season.
func (c *curve) by(quintile uint8, days calendar.Day) float64 {
	if days <= 0 {
		return 0
	}
	return c.final[quintile] * (1 - math.Exp(-math.Pow(float64(days)/c.pace[quintile], paceShape)))
}

// paceShape bends the curves of a season: a slow start, most in the first weeks, a long tail.
const paceShape = 1.3

// programme tells the history of one programme.
func (b *builder) programme(at uint8) {
	p := b.set.Programmes[at]
	c, ok := curves[p.ID]
	if !ok {
		c = usual
		if len(p.Seasons) > 0 { // as far as the season's length allows
			for q := range c.pace {
				c.pace[q] = min(c.pace[q], float64(p.Seasons[0].End-p.Seasons[0].Start)/4)
			}
		}
	}
	switch p.Kind {
	case programme.Rolling:
		for i := range b.people {
			b.checks(at, p, c, uint32(i))
		}
	case programme.Cohort:
		for s, season := range p.Seasons {
			if season.Start > b.today {
				break
			}
			for i := range b.people {
				if eligible(p, season, &b.people[i], season.End) {
					b.doses(at, p, c, uint8(s), uint32(i))
				}
			}
		}
	default:
		first, last := b.told(p)
		for s := first; s <= last; s++ {
			season := p.Seasons[s]
			if season.End >= b.today {
				b.covered[at] = make([]bool, len(b.people))
			}
			for i := range b.people {
				if eligible(p, season, &b.people[i], season.End) {
					b.jab(at, p, c, uint8(s), season, uint32(i))
				}
			}
		}
	}
	b.ledger.post()
}

// newcomers is how many days into a season those join who become eligible in the middle of it.
const newcomers = 45

// told are the first and last season of a seasonal programme that are told: the running one, or the last, and two before.
// There are none if last is less than first.
func (b *builder) told(p *programme.Programme) (first, last int) {
	last = -1
	for i, s := range p.Seasons {
		if s.Start <= b.today {
			last = i
		}
	}
	return max(0, last-2), last
}

// spotOf is what a sender writes as somebody's LSOA.
func (b *builder) spotOf(home uint16) uint16 {
	switch n := b.r.IntN(1000); {
	case !b.noisy || home < firstSpot:
	case n < 8:
		return nowhere
	case n < 10:
		return unheardOf
	case n < 250:
		if old := b.land.oldSpot[home-firstSpot]; old != 0 {
			return old
		}
	}
	return home
}

// keen is how much somebody's origin and place change the share that comes.
func (b *builder) keen(someone *person) float64 {
	k := 1 + 0.05*math.Sin(float64(b.land.spots[someone.home].place)) // places differ a little
	if someone.ethnicity > 1 {
		k -= 0.04 + 0.02*float64(someone.ethnicity%4)
	}
	return k
}

// open is the next day on which somebody's practice or pharmacy does it: two in five wait for the practice's clinic, on
// its weekday or on one Saturday in four; of the others nobody comes on a Sunday and few on a Saturday.
func (b *builder) open(day calendar.Day, practice uint16) calendar.Day {
	clinic := b.r.IntN(5) < 2
	saturdays := b.r.IntN(4) == 0
	for ; ; day++ {
		t := day.Time()
		weekday := t.Weekday()
		if weekday == time.Sunday || t.Month() == time.December && (t.Day() == 25 || t.Day() == 26) || t.YearDay() == 1 {
			continue
		}
		saturdayClinic := weekday == time.Saturday && (int(day/7)+int(practice))%4 == 0
		switch {
		case clinic && (weekday == time.Weekday(1+practice%5) || saturdayClinic):
			return day
		case !clinic && (weekday != time.Saturday || saturdays):
			return day
		}
	}
}

// jab tells one eligible person's season.
func (b *builder) jab(at uint8, p *programme.Programme, c curve, s uint8, season programme.Season, i uint32) {
	someone := &b.people[i]
	quintile := b.land.spots[someone.home].quintile
	comes := b.r.Float64() < c.final[quintile]*b.keen(someone)
	after := c.pace[quintile] * math.Pow(b.r.ExpFloat64(), 1/paceShape)
	day := season.Start + calendar.Day(after)
	if someone.has(newcomer) {
		day = max(day, season.Start+newcomers)
	}
	if b.widens != 0 && b.land.spots[someone.home].place == b.widens && p.ID == b.widening.Programme &&
		season.Start <= b.widening.From && b.widening.From <= season.End {
		comes, day = b.widen(&c, season, quintile, comes, day)
	}
	if !comes {
		if on, asked := b.campaign(p, season, someone); asked {
			comes, day = true, on
		}
	}
	day = b.open(day, someone.practice)
	g := group{b.spotOf(someone.home), someone.practice, someone.ethnicity}
	f := fact{person: i, programme: at, day: day, dose: uint8(b.r.IntN(2)), group: g}
	if !comes || day > season.End {
		if day <= season.End && day <= b.today && b.r.IntN(40) == 0 {
			b.tellNothing(f)
		}
		return
	}
	b.facts = b.facts[:0]
	if day <= b.today && b.tell(f) {
		b.ledger.note(at, s, day, newly, g) // covered from that day to the season's end
		if season.End >= b.today {
			b.covered[at][i] = true
		}
	}
}

// widen changes who comes since the widening began: three fifths of the points are lost by the two most deprived fifths,
// of whom fewer come, and two fifths won by the least deprived one, of whom people come who would have come after the
// three weeks or not at all.
func (b *builder) widen(c *curve, season programme.Season, quintile uint8, comes bool, day calendar.Day) (bool, calendar.Day) {
	const weeks3, soon = 21, 12
	from, points := b.widening.From, b.widening.Points/100
	until := from + weeks3
	switch {
	case (quintile == 1 || quintile == 2) && day >= from:
		due := c.by(quintile, until-season.Start) - c.by(quintile, from-season.Start)
		if b.r.Float64() < 0.6*points/due {
			day += 70
		}
	case quintile == 5 && (!comes || day >= until):
		if b.r.Float64() < 0.4*points/(1-c.by(quintile, until-season.Start)) {
			return true, from + calendar.Day(b.r.IntN(soon))
		}
	}
	return comes, day
}

// doses tells the vaccinations of one child of a cohort: the first at about 13 months, the second at about 3 years and 4
// months, rarely later.
func (b *builder) doses(at uint8, p *programme.Programme, c curve, s uint8, i uint32) {
	child := &b.people[i]
	quintile := b.land.spots[child.home].quintile
	g := group{b.spotOf(child.home), child.practice, child.ethnicity}
	dose := func(after calendar.Day, number uint8) fact {
		return fact{person: i, programme: at, cohort: s + 1, day: b.open(child.born+after, child.practice), dose: number, group: g}
	}
	slow := 1.0
	if b.r.IntN(8) == 0 {
		slow = 6
	}
	wait := func(mean float64) calendar.Day { return calendar.Day(b.r.ExpFloat64() * mean * slow) }
	first := dose(395+wait(20), 1)
	if b.r.Float64() >= (c.final[quintile]+0.03)*b.keen(child) {
		if b.r.IntN(40) == 0 && first.day <= b.today {
			b.tellNothing(first)
		}
		return
	}
	if b.r.IntN(4) == 0 {
		first.dose = 0 // not said
	}
	b.facts = b.facts[:0]

	u := b.r.IntN(100)
	if !b.noisy {
		u = 99
	}
	if u < 2 { // the first dose was never given: a second one marked as such covers by itself, an unmarked one does not
		b.tellRetracted(first)
		second := dose(1220+wait(40), uint8(2*b.r.IntN(2)))
		if second.day <= b.today && b.tell(second) && second.dose == 2 {
			b.qualified(p, at, s, second)
		}
		return
	}
	early := u < 4
	if early {
		first.dose = 0
	}
	if first.day > b.today || !b.tell(first) {
		return
	}
	if b.r.Float64() >= c.final[quintile]*b.keen(child)/(c.final[quintile]+0.03) {
		return // one dose does not cover
	}
	second := dose(1220+wait(40), 2)
	second.day = max(second.day, first.day+28)
	if early { // 14 days after the first one, neither marked: too early to be the second. A later one is.
		soon := first
		soon.day += 14
		if soon.day <= b.today {
			b.tell(soon)
		}
	}
	if b.r.IntN(4) == 0 {
		second.dose = 0
	}
	if second.day <= b.today && b.tell(second) {
		b.qualified(p, at, s, second)
	}
}

// qualified notes a child who is covered since a day: before the cohort's season it counts from its first day, after its
// cut-off not at all.
func (b *builder) qualified(p *programme.Programme, at, s uint8, f fact) {
	if season := p.Seasons[s]; f.day <= season.End {
		b.ledger.note(at, s, max(f.day, season.Start), newly, f.group)
	}
}

// checks tells one person's checks since before the programme's history begins.
func (b *builder) checks(at uint8, p *programme.Programme, c curve, i uint32) {
	someone := &b.people[i]
	season, _ := p.Season(programme.RollingSeason)
	if !eligible(p, season, someone, b.today) && !eligible(p, season, someone, b.today-5*365) {
		return
	}
	quintile := b.land.spots[someone.home].quintile
	regular := b.r.Float64() < c.final[quintile]*b.keen(someone)
	length := float64(p.Validity) * 30.44 // days that a check covers, about
	home, practice := someone.home, someone.practice
	b.facts = b.facts[:0]
	day := p.HistoryFrom + calendar.Day(length*(b.r.Float64()-1))
	for {
		day = b.open(day, practice)
		if day > b.today {
			break
		}
		f := fact{person: i, programme: at, day: day, group: group{b.spotOf(home), practice, someone.ethnicity}}
		switch {
		case !eligible(p, season, someone, day):
		case regular && b.r.IntN(12) > 0 || !regular && b.r.IntN(8) == 0:
			b.tell(f)
		case b.r.IntN(60) == 0:
			b.tellNothing(f)
		}
		// The next one falls due a month early to two months late.
		day += calendar.Day(length * (0.92 + 0.25*b.r.Float64()))
		if b.r.IntN(25) == 0 && home >= firstSpot { // a move
			to := b.elsewhere()
			for range 3 { // mostly within the place
				if b.land.spots[to].place != b.land.spots[home].place {
					to = b.elsewhere()
				}
			}
			home = to
			if practice != noPractice {
				practice = b.land.lsoas[home-firstSpot].practices[0]
			}
		}
	}
	b.cover(at, p, b.facts)
}

// cover notes the stretches that checks cover, in order of day: each lasts for the validity or until the next one,
// whose group is then the person's. What happened before the first day shown counts as of that day.
func (b *builder) cover(at uint8, p *programme.Programme, checks []fact) {
	until, before := calendar.Day(math.MinInt32), group{}
	covered := false
	for i, f := range checks {
		from, to := max(f.day, p.HistoryFrom), f.day.AddMonths(p.Validity)
		if i+1 < len(checks) {
			to = min(to, checks[i+1].day)
		}
		if from >= to {
			continue
		}
		if covered && until == from {
			b.ledger.move(at, 0, from, before, f.group)
		} else {
			if covered {
				b.ledger.note(at, 0, until, lapsed, before)
			}
			b.ledger.note(at, 0, from, newly, f.group)
		}
		until, before, covered = to, f.group, true
	}
	if covered {
		b.ledger.note(at, 0, until, lapsed, before)
	}
}
