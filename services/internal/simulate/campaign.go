package simulate

import (
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// campaign is an intervention in one place: people of the most deprived fifth come while it lasts who would not have come
// at all.
type campaign struct {
	programme, label string
	place            uint16 // index of the place, from 1
	from, to         calendar.Day
	goesOn           bool    // no end is known: to is the last day of the season
	extra            float64 // share of those who would not have come
}

// Places of the campaigns, as indices into placePlan. The first lies in a system with five other places, as many as an
// estimate of an effect takes; the second does not.
const (
	bus   = 1 // Brackenford
	calls = 7 // Harrowmere
)

// campaigns are those of a set's first seasonal programme (else of its first one, with no effect): a vaccination bus in the
// season before the last that began, and again in that one; calls elsewhere that go on. They begin three weeks into a
// season, so that there is something to compare with, and are left out while that day is to come.
func campaigns(set *programme.Set, today calendar.Day) []campaign {
	var p *programme.Programme
	for _, one := range set.Programmes {
		if one.Kind == programme.Seasonal {
			p = one
			break
		}
	}
	if p == nil {
		return []campaign{{set.Programmes[0].ID, "Pop-up clinics at the market", bus + 1, today - 60, today - 40, false, 0}}
	}
	var all []campaign
	add := func(label string, place uint16, season programme.Season, days calendar.Day, extra float64) {
		c := campaign{p.ID, label, place + 1, season.Start + 21, season.Start + 20 + days, days == 0, extra}
		if c.goesOn || c.to > season.End {
			c.to = season.End
		}
		if c.from <= min(today, season.End) {
			all = append(all, c)
		}
	}
	newest := -1
	for i, season := range p.Seasons {
		if season.Start <= today {
			newest = i
		}
	}
	if newest > 0 {
		add("Vaccination bus at the market", bus, p.Seasons[newest-1], 21, 0.25)
	}
	if newest >= 0 {
		add("Vaccination bus at the market, second year", bus, p.Seasons[newest], 21, 0.25)
		add("Calls in five languages", calls, p.Seasons[newest], 0, 0)
	}
	return all
}

// campaign is on which day somebody comes because of a campaign, who otherwise would not come in this season.
func (b *builder) campaign(p *programme.Programme, season programme.Season, someone *person) (calendar.Day, bool) {
	spot := b.land.spots[someone.home]
	if spot.quintile != 1 || someone.has(newcomer) {
		return 0, false
	}
	for _, c := range b.campaigns {
		if c.extra > 0 && c.programme == p.ID && c.place == spot.place && season.Start <= c.from && c.from <= season.End && b.r.Float64() < c.extra {
			return c.from + calendar.Day(b.r.IntN(int(c.to-c.from)+1)), true
		}
	}
	return 0, false
}
