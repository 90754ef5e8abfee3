package gap

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/zeebo/xxh3"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/disclosure"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/programme"
)

// The levels and kinds of fifths of prevention.gap_days.
const (
	levelPCN     = "pcn"
	levelPlace   = "place"
	levelSystem  = "system"
	levelRegion  = "region"
	levelEngland = "england"
	levelSeries  = "published series"

	national = "national" // quintiles of England
	local    = "local"    // fifths of the geography's own eligible people
)

// place is one geography of a season under one kind of fifths, day by day.
type place struct {
	level, code, fifths string
	exact               [6]*people           // index 0: unknown quintile
	inside, outside     []*people            // the parts of quintiles 1 to 5 that it is the sum of, and those of unknown quintile
	shown               [][6]disclosure.Cell // by day
	total               []disclosure.Cell    // by day
}

// disclose works out what may be shown of every geography of a season.
func (k *Keeper) disclose(s *season) []*place {
	mode, n := k.config.Disclosure, s.days()
	cells := func(p *people) []disclosure.Cell {
		all := make([]disclosure.Cell, n)
		for d := range all {
			all[d] = mode.Cell(p.count(d))
		}
		return all
	}
	type sum struct {
		level, code string
	}
	type inner struct {
		*people
		part
		cells []disclosure.Cell
	}
	parts := map[sum][]inner{}
	add := func(level, code string, in inner) {
		if code != "" { // people of no known place or PCN have no row: it would give others back by subtraction
			parts[sum{level, code}] = append(parts[sum{level, code}], in)
		}
	}
	for at, p := range s.parts {
		in := inner{p, at, cells(p)}
		add(levelPlace, at.place, in)
		add(levelSystem, at.system, in)
		add(levelRegion, k.places.regionOf[at.place], in)
		if k.config.National {
			add(levelEngland, England, in)
		}
	}
	for at, p := range s.pcns {
		add(levelPCN, at.code, inner{p, at, cells(p)})
	}
	all := make([]*place, 0, 2*len(parts))
	for of, in := range parts {
		g := &place{level: of.level, code: of.code, fifths: national, shown: make([][6]disclosure.Cell, n), total: make([]disclosure.Cell, n)}
		for q := range g.exact {
			g.exact[q] = &people{make([]uint64, n), make([]uint64, n), make([]uint64, n)}
		}
		for _, i := range in {
			g.exact[i.quintile].add(i.people)
			if i.quintile > 0 {
				g.inside = append(g.inside, i.people)
			} else {
				g.outside = append(g.outside, i.people)
			}
		}
		for d := range n {
			var sums [6]disclosure.Sum
			var total disclosure.Sum
			for _, i := range in {
				sums[i.quintile].Add(i.cells[d])
				total.Add(i.cells[d])
			}
			for q := range sums {
				g.shown[d][q] = sums[q].Cell()
			}
			g.total[d] = total.Cell()
			if of.level == levelEngland {
				var every []disclosure.Cell
				var exact inequality.Count
				for q := range sums {
					var of []disclosure.Cell
					for _, i := range in {
						if int(i.quintile) == q {
							of = append(of, i.cells[d])
						}
					}
					g.shown[d][q] = mode.National(g.exact[q].count(d), of)
					every = append(every, of...)
					c := g.exact[q].count(d)
					exact.Covered, exact.Eligible = exact.Covered+c.Covered, exact.Eligible+c.Eligible
				}
				g.total[d] = mode.National(exact, every)
			}
		}
		all = append(all, g)
		switch of.level {
		case levelPlace:
			all = append(all, k.localFifths(s, g, s.placeFifths, func(fifth string) part { return part{place: of.code, code: fifth} }))
		case levelSystem:
			all = append(all, k.localFifths(s, g, s.systemFifths, func(fifth string) part { return part{system: of.code, code: fifth} }))
		}
	}
	slices.SortFunc(all, func(a, b *place) int {
		return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(a.code, b.code), cmp.Compare(a.fifths, b.fifths))
	})
	return all
}

// hidden is a cell of which nothing is shown.
var hidden = disclosure.Cell{Covered: disclosure.Figure{State: disclosure.Hidden}, Eligible: disclosure.Figure{State: disclosure.Hidden}}

// localFifths divides a place or system by its own fifths. They are hidden on days on which they would give a small
// number of its quintiles back.
func (k *Keeper) localFifths(s *season, of *place, fifths map[part]*people, key func(fifth string) part) *place {
	n := s.days()
	g := &place{level: of.level, code: of.code, fifths: local, shown: make([][6]disclosure.Cell, n), total: of.total}
	for q := range g.exact {
		if p := fifths[key([6]string{"", "1", "2", "3", "4", "5"}[q])]; p != nil {
			g.exact[q] = p
		} else {
			g.exact[q] = &people{make([]uint64, n), make([]uint64, n), make([]uint64, n)}
		}
	}
	g.inside, g.outside = of.inside, of.outside
	parts, members := make([]inequality.Count, len(of.inside)), make([]inequality.Count, 5)
	for d := range n {
		for i, p := range of.inside {
			parts[i] = p.count(d)
		}
		for q := range members {
			members[q] = g.exact[q+1].count(d)
		}
		shown, _ := k.config.Disclosure.Family(parts, members, disclosure.Closed) // hidden ones say so themselves
		g.shown[d][0] = hidden
		copy(g.shown[d][1:], shown)
	}
	return g
}

func (p *people) add(o *people) {
	for i := range p.gained {
		p.gained[i] += o.gained[i]
		p.lost[i] += o.lost[i]
		p.eligible[i] += o.eligible[i]
	}
}

// quintiles are the exact counts of a day.
func (g *place) quintiles(day int) (q inequality.Quintiles) {
	for i := range q {
		q[i] = g.exact[i+1].count(day)
	}
	return q
}

// shownQuintiles are the counts of a day that measures for readers are computed from; those that are withheld are 0 of 0.
func (g *place) shownQuintiles(day int) inequality.Quintiles {
	q, _ := disclosure.Quintiles([5]disclosure.Cell(g.shown[day][1:]))
	return q
}

// gapDay is one row of prevention.gap_days.
type gapDay struct {
	level, code, fifths     string
	day                     calendar.Day
	covered, eligible       []uint64
	shownCovered, shownElig []*uint64
	withheld                []string
	allCovered, allEligible *uint64
	uptake, low, high, pace []*float64
	shortBest, shortTarget  []*uint64
	measures                [18]*float64 // gap, ratio, sii, rii, linear sii, linear rii; each with low and high
	biggest                 uint8
	notComputed             string
}

const dayColumns = `gap_days (programme, season, level, code, fifths, day, id, content, covered, eligible, shown_covered, shown_eligible,
	withheld, all_covered, all_eligible, uptake, uptake_low, uptake_high, pace, short_best, short_target,
	gap, gap_low, gap_high, ratio, ratio_low, ratio_high, sii, sii_low, sii_high, rii, rii_low, rii_high,
	sii_linear, sii_linear_low, sii_linear_high, rii_linear, rii_linear_low, rii_linear_high, biggest_win, not_computed)`

// week is how far back a pace looks, in days.
const week = 7

// row measures one day of a geography. before is the cells a week earlier, nil if there are none.
func row(p *programme.Programme, g *place, day calendar.Day, cells [6]disclosure.Cell, before *[6]disclosure.Cell, total disclosure.Cell, exact [6]inequality.Count) gapDay {
	r := gapDay{level: g.level, code: g.code, fifths: g.fifths, day: day,
		covered: make([]uint64, 6), eligible: make([]uint64, 6), shownCovered: make([]*uint64, 6), shownElig: make([]*uint64, 6), withheld: make([]string, 6),
		uptake: make([]*float64, 6), low: make([]*float64, 6), high: make([]*float64, 6), pace: make([]*float64, 6),
		shortBest: make([]*uint64, 6), shortTarget: make([]*uint64, 6), allCovered: figure(total.Covered), allEligible: figure(total.Eligible)}
	for q, c := range cells {
		r.covered[q], r.eligible[q] = exact[q].Covered, exact[q].Eligible
		r.shownCovered[q], r.shownElig[q] = figure(c.Covered), figure(c.Eligible)
		if c.Covered.State != disclosure.Shown {
			r.withheld[q] = c.Covered.State.String()
		}
		n, ok := c.Count()
		if !ok {
			continue
		}
		if e, ok := inequality.UptakeOf(n); ok {
			r.uptake[q], r.low[q], r.high[q] = &e.Value, &e.Low, &e.High
		} else if raw, ok := n.Uptake(); ok {
			r.uptake[q] = &raw
		}
		if before != nil && r.uptake[q] != nil {
			if then, ok := before[q].Count(); ok {
				if was, ok := then.Uptake(); ok {
					pace := *r.uptake[q] - was
					r.pace[q] = &pace
				}
			}
		}
	}
	quintiles, _ := disclosure.Quintiles([5]disclosure.Cell(cells[1:]))
	floor := uint64(p.Limits.Floor)
	m := inequality.Of(quintiles, floor)
	var missing []string
	for i, measure := range [6]struct {
		name string
		inequality.Measure
	}{{"gap", m.Gap}, {"ratio", m.Ratio}, {"sii", m.SII}, {"rii", m.RII}, {"sii_linear", m.LinearSII}, {"rii_linear", m.LinearRII}} {
		if e, ok := measure.Get(); ok {
			r.measures[3*i], r.measures[3*i+1], r.measures[3*i+2] = &e.Value, &e.Low, &e.High
		} else {
			missing = append(missing, measure.name+": "+measure.NotComputed().String())
		}
	}
	r.notComputed = strings.Join(missing, "\n")
	for i, short := range m.Short {
		if n, ok := short.Get(); ok {
			r.shortBest[i+1] = &n
		}
	}
	for i, short := range inequality.ShortToTarget(quintiles, p.Target/100, floor) {
		if n, ok := short.Get(); ok && p.Target > 0 {
			r.shortTarget[i+1] = &n
		}
	}
	if win, ok := m.BiggestWin.Get(); ok && g.fifths == national {
		r.biggest = uint8(win.Quintile)
	}
	return r
}

func figure(f disclosure.Figure) *uint64 {
	if f.State != disclosure.Shown {
		return nil
	}
	return &f.Value
}

// content is a hash of all that a row says.
func (r *gapDay) content(b []byte) (uint64, []byte) {
	b = b[:0]
	number := func(v *uint64) {
		if v == nil {
			b = append(b, 0)
			return
		}
		b = binary.LittleEndian.AppendUint64(append(b, 1), *v)
	}
	fraction := func(v *float64) {
		if v == nil {
			b = append(b, 0)
			return
		}
		b = binary.LittleEndian.AppendUint64(append(b, 1), math.Float64bits(*v))
	}
	for q := range r.covered {
		number(&r.covered[q])
		number(&r.eligible[q])
		number(r.shownCovered[q])
		number(r.shownElig[q])
		b = append(append(b, r.withheld[q]...), 0)
		fraction(r.uptake[q])
		fraction(r.low[q])
		fraction(r.high[q])
		fraction(r.pace[q])
		number(r.shortBest[q])
		number(r.shortTarget[q])
	}
	number(r.allCovered)
	number(r.allEligible)
	for _, v := range r.measures {
		fraction(v)
	}
	b = append(append(b, r.biggest), r.notComputed...)
	return xxh3.Hash(b), b
}

// rowKey names a row of a season.
type rowKey struct {
	level, code, fifths string
	day                 calendar.Day
}

// blockDays is how many rows one insert has at most.
const blockDays = 20_000

// writeDays stores the days that differ from what is stored, and says how many.
func (k *Keeper) writeDays(ctx context.Context, s *season, all []*place) (int, error) {
	stored := map[rowKey]uint64{}
	if err := k.each(ctx, "contents", k.programmeArgs(s), func(rows driver.Rows) error {
		var key rowKey
		var day int32
		var content uint64
		err := rows.Scan(&key.level, &key.code, &key.fifths, &day, &content)
		key.day = calendar.Day(day)
		stored[key] = content
		return err
	}); err != nil {
		return 0, err
	}
	w := dayWriter{k: k, ctx: ctx, season: s}
	for _, g := range all {
		for d := range s.days() {
			var before *[6]disclosure.Cell
			if d >= week {
				before = &g.shown[d-week]
			}
			var exact [6]inequality.Count
			for q := range exact {
				exact[q] = g.exact[q].count(d)
			}
			r := row(s.programme, g, s.first+calendar.Day(d), g.shown[d], before, g.total[d], exact)
			key := rowKey{r.level, r.code, r.fifths, r.day}
			if err := w.add(&r, stored, key); err != nil {
				return w.written, err
			}
		}
	}
	// A geography that has gone, because areas have changed, must not stay as it was.
	here := map[rowKey]bool{}
	for _, g := range all {
		here[rowKey{level: g.level, code: g.code, fifths: g.fifths}] = true
	}
	for key := range stored {
		if !here[rowKey{level: key.level, code: key.code, fifths: key.fifths}] {
			r := row(s.programme, &place{level: key.level, code: key.code, fifths: key.fifths}, key.day, [6]disclosure.Cell{hidden, hidden, hidden, hidden, hidden, hidden}, nil, hidden, [6]inequality.Count{})
			if err := w.add(&r, stored, key); err != nil {
				return w.written, err
			}
		}
	}
	return w.written, w.flush()
}

// dayWriter gathers rows of a season that differ from what is stored.
type dayWriter struct {
	k       *Keeper
	ctx     context.Context
	season  *season
	rows    []gapDay
	content []uint64
	buffer  []byte
	written int
}

func (w *dayWriter) add(r *gapDay, stored map[rowKey]uint64, key rowKey) error {
	var content uint64
	content, w.buffer = r.content(w.buffer)
	if before, ok := stored[key]; ok && before == content {
		return nil
	}
	w.rows, w.content = append(w.rows, *r), append(w.content, content)
	w.written++
	if len(w.rows) < blockDays {
		return nil
	}
	return w.flush()
}

func (w *dayWriter) flush() error {
	s := w.season
	err := w.k.insert(w.ctx, dayColumns, "", len(w.rows), func(i int) []any {
		r := &w.rows[i]
		values := []any{s.programme.ID, s.season.ID, r.level, r.code, r.fifths, r.day.Time(), s.id, w.content[i], r.covered, r.eligible,
			r.shownCovered, r.shownElig, r.withheld, r.allCovered, r.allEligible, r.uptake, r.low, r.high, r.pace, r.shortBest, r.shortTarget}
		for _, v := range r.measures {
			values = append(values, v)
		}
		return append(values, r.biggest, r.notComputed)
	})
	w.rows, w.content = w.rows[:0], w.content[:0]
	return err
}
