package verdict

import (
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/programme"
)

// Day is what is known of one geography on one day, under the current edition of the Index of Multiple Deprivation.
type Day struct {
	Day       calendar.Day
	Quintiles inequality.Quintiles
	Unknown   inequality.Count // people of unknown quintile

	// Gained and Lost are how many people each quintile has gained (newly covered, moved in) and lost (lapsed, moved out)
	// since any fixed day: only differences are used. Needed where cover ends or moves, see Case.Flows.
	Gained, Lost [5]uint64
}

// Series is one geography's days of one season, in order of time, each day at most once. A day that is left out is as
// the one before it.
type Series []Day

// Case is one programme, season and geography to be judged.
type Case struct {
	Kind   programme.Kind
	Limits programme.Limits
	Season programme.Season // of Days; for rolling programmes from the first day that counts are shown for
	// Complete is the first day of a rolling programme on which everybody covered is known: history_from + validity.
	Complete calendar.Day
	Days     Series
	Flows    bool // Days have Gained and Lost; without them the net change is taken for them

	// Last is the last season, nil if there is none or its counts do not begin at its start. Not used for rolling ones.
	Last *Past
	// Own is the week-to-week scatter of this geography in earlier seasons, Peers that of the programme's other
	// geographies of the same level, see [Learn]. This season's own weeks are added by Judge as they pass.
	Own, Peers Scatter
}

// Past is a season that is compared with.
type Past struct {
	Season programme.Season
	Days   Series
}

// New is a case with all that the programme says about it; Days and evidence are the caller's to add. False if the
// programme has no such season.
func New(p *programme.Programme, season string) (Case, bool) {
	s, ok := p.Season(season)
	c := Case{Kind: p.Kind, Limits: p.Limits, Season: s}
	if p.Kind == programme.Rolling {
		c.Complete = p.HistoryFrom.AddMonths(p.Validity)
	}
	return c, ok
}

// Before is the season that a season is compared with: the one listed before it, if its counts begin at its start. False
// for rolling programmes.
func Before(p *programme.Programme, season string) (programme.Season, bool) {
	for i, s := range p.Seasons {
		if s.ID == season && i > 0 && p.Seasons[i-1].Start >= p.HistoryFrom {
			return p.Seasons[i-1], true
		}
	}
	return programme.Season{}, false
}

// cursor walks a series by day, forwards or back.
type cursor struct {
	days Series
	next int // the first row after the day last asked for
}

// at is the row of a day; an empty one before the first.
func (c *cursor) at(day calendar.Day) *Day {
	for c.next < len(c.days) && c.days[c.next].Day <= day {
		c.next++
	}
	for c.next > 0 && c.days[c.next-1].Day > day {
		c.next--
	}
	if c.next == 0 {
		return &Day{Day: day}
	}
	return &c.days[c.next-1]
}

// uptake is the overall uptake, people of unknown quintile included; 0 without eligible people.
func (d *Day) uptake() float64 {
	covered, eligible := d.Unknown.Covered, d.Unknown.Eligible
	for _, q := range d.Quintiles {
		covered, eligible = covered+q.Covered, eligible+q.Eligible
	}
	return share(covered, eligible)
}

// unknown is the share of the covered people whose quintile is unknown.
func (d *Day) unknown() float64 {
	covered := d.Unknown.Covered
	for _, q := range d.Quintiles {
		covered += q.Covered
	}
	return share(d.Unknown.Covered, covered)
}

// gap is the uptake of quintile 5 minus that of quintile 1; both must have eligible people.
func (d *Day) gap() float64 {
	return rate(d.Quintiles[4]) - rate(d.Quintiles[0])
}

func rate(c inequality.Count) float64 { return share(c.Covered, c.Eligible) }

func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
