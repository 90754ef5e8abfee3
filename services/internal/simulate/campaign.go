package simulate

import (
	"slices"

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

// campaigns are those of a set's first seasonal programme (else of its first one, with no effect), in the last season that is
// three weeks old: a vaccination bus for three weeks, and calls elsewhere that go on. They begin three weeks into the season,
// so that there is something to compare with.
func campaigns(set *programme.Set, today calendar.Day) []campaign {
	const begins, lasts = 21, 21
	for _, p := range set.Programmes {
		if p.Kind != programme.Seasonal {
			continue
		}
		for _, season := range slices.Backward(p.Seasons) {
			from := season.Start + begins
			if from > min(today, season.End) {
				continue
			}
			return []campaign{
				{p.ID, "Vaccination bus at the market", bus + 1, from, min(from+lasts-1, season.End), false, 0.2},
				{p.ID, "Calls in five languages", calls + 1, from, season.End, true, 0},
			}
		}
	}
	return []campaign{{set.Programmes[0].ID, "Pop-up clinics at the market", bus + 1, today - 60, today - 40, false, 0}}
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
