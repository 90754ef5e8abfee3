package gap

import (
	"context"
	"fmt"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/disclosure"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/programme"
)

// Why a quintile is not compared with the season before.
const (
	noSeason   = "there is none that is known"
	incomplete = "the history is not complete yet"
	comingIn   = "records of the past are still coming in"
	notShown   = "the figures are withheld"
	tooMany    = "more people are covered than are eligible"
)

// fourErrors is how far, in standard errors, a quintile must be from the season before to be called behind by more than
// chance. All quintiles of all geographies are looked at every day: with two, one in forty would be behind at any time.
const fourErrors = 4

// yearBack is how far back a rolling programme is compared, in days: the same day of the week.
const yearBack = 364

// comparison is a quintile beside the season before.
type comparison struct {
	expected, chance *float64
	why              string
}

// writeLastDays stores every geography on the last complete day beside the same day of the season before, for
// whoever looks at all of them. All of it follows from shown counts. Nothing is compared while the past is still coming in.
func (k *Keeper) writeLastDays(ctx context.Context, s, past *season, all, before []*place, settled bool) error {
	p, day := s.programme, s.at(s.complete)
	then, why := past, noSeason
	at := day // of the season before, counted from its start; of the last day where that season was shorter
	switch {
	case p.Kind == programme.Rolling && s.complete-yearBack < p.HistoryFrom.AddMonths(p.Validity):
		then, why = nil, incomplete
	case p.Kind == programme.Rolling:
		then, before, at = s, all, day-yearBack
	case past != nil:
		at = min(day, past.days()-1)
	}
	if !settled {
		then, why = nil, comingIn
	}
	last := map[areaKey]*place{}
	var against *time.Time
	if then != nil && at >= 0 {
		for _, g := range before {
			if g.fifths == national {
				last[areaKey{g.level, g.code}] = g
			}
		}
		t := (then.first + calendar.Day(at)).Time()
		against = &t
	}
	var rows [][]any
	for _, g := range all {
		if g.fifths != national {
			continue
		}
		uptake, expected, chance, reasons := make([]*float64, 6), make([]*float64, 6), make([]*float64, 6), make([]string, 6)
		for q, cell := range g.shown[day] {
			uptake[q] = raw(cell)
			c := comparison{why: why}
			if b := last[areaKey{g.level, g.code}]; b != nil {
				c = compare(cell, b.shown[at][q], uint64(p.Limits.Floor))
			}
			expected[q], chance[q], reasons[q] = c.expected, c.chance, c.why
		}
		r := row(p, g, s.complete, g.shown[day], nil, g.total[day], [6]inequality.Count{})
		var unknown *float64
		if covered := r.shownCovered[0]; covered != nil && r.allCovered != nil && *r.allCovered > 0 {
			share := float64(*covered) / float64(*r.allCovered)
			unknown = &share
		}
		values := []any{p.ID, s.season.ID, g.level, g.code, s.complete.Time(), s.id, raw(g.total[day]), unknown, uptake, against, expected, chance, reasons,
			r.allCovered, r.allEligible, sum(r.shortBest[1:]), sum(r.shortTarget[1:])}
		for _, m := range r.measures[:12] { // gap, ratio, sii, rii, each with low and high
			values = append(values, m)
		}
		rows = append(rows, append(values, r.biggest, r.notComputed))
	}
	return k.insert(ctx, `last_days (programme, season, level, code, day, id, all_uptake, unknown_area, uptake, against, expected, chance, why,
		covered, eligible, short_best, short_target, gap, gap_low, gap_high, ratio, ratio_low, ratio_high, sii, sii_low, sii_high, rii, rii_low, rii_high,
		biggest_win, not_computed)`, "", len(rows), func(i int) []any { return rows[i] })
}

// sum adds up what is there; nil if nothing is.
func sum(people []*uint64) *uint64 {
	var all *uint64
	for _, n := range people {
		if n == nil {
			continue
		}
		if all == nil {
			all = new(uint64)
		}
		*all += *n
	}
	return all
}

// raw is the uptake that a cell shows, also where it is over 1.
func raw(c disclosure.Cell) *float64 {
	if n, ok := c.Count(); ok {
		if share, ok := n.Uptake(); ok {
			return &share
		}
	}
	return nil
}

// compare lays a quintile beside the season before.
func compare(now, then disclosure.Cell, floor uint64) comparison {
	n, ok := now.Count()
	m, known := then.Count()
	switch {
	case !ok || !known:
		return comparison{why: notShown}
	case n.Covered > n.Eligible || m.Covered > m.Eligible:
		return comparison{why: tooMany}
	case min(n.Eligible, m.Eligible) < floor:
		return comparison{why: fmt.Sprintf("fewer than %d people are eligible", floor)}
	}
	difference, ok := inequality.GapOf(inequality.Quintiles{0: n, 4: m}, floor, fourErrors).Get() // then less now
	if !ok {
		return comparison{why: notShown}
	}
	expected, _ := m.Uptake()
	chance := difference.Value - difference.Low
	return comparison{expected: &expected, chance: &chance}
}
