package disclosure_test

import (
	"fmt"
	"math"
	"testing"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/disclosure"
	"gapwatch/services/internal/disclosure/attack"
	"gapwatch/services/internal/inequality"
)

// fewest is the number of values that must remain possible for every suppressed count.
const fewest = 3

// habits are ways of publishing that give suppressed counts back: what the package exists to avoid. The attack has to
// see through each of them, or it would not be worth much.
type habits struct {
	exactTotals      bool // totals over quintiles as they are
	roundedTotals    bool // totals, systems and regions rounded by themselves
	exactEngland     bool // "no control at national level", whatever stands beside it
	anyNeighbourhood bool // neighbourhoods of every place
	anyEthnicity     bool // ethnic groups of every place and quintile
	anyFifths        bool // local fifths of every place
	anyVerdict       bool // figures of systems' verdicts whatever their places have
}

// group is the unknowns of one published count: eligible, and covered by vintage and day. -1: nothing was published.
type group struct {
	eligible attack.Unknown
	covered  [][]attack.Unknown
}

// publication is everything that was ever published about a population, as an attacker writes it down.
type publication struct {
	t       *testing.T
	a       attack.Attack
	habits  habits
	p       *population
	targets []target
	figures int // verdicts with figures

	primary, nearly, shown, hidden int // figures by what was published, over all days and vintages
}

// target is a count that must not come out.
type target struct {
	of    attack.Unknown
	truth uint64
}

const mode = disclosure.NHSEngland

// figure writes a published figure down; suppressed ones are targets.
func (b *publication) figure(name string, f disclosure.Figure, truth uint64) attack.Unknown {
	switch f.State {
	case disclosure.Shown:
		b.shown++
		if low, high := f.Range(); low == high {
			return b.a.Unknown(name, int64(low), int64(high)) // England, or a habit
		}
		return b.a.Shown(name, int64(f.Value))
	case disclosure.NearlyAll:
		b.nearly++
		return b.a.Unknown(name, 8, attack.Any) // and what cells says about it
	case disclosure.Suppressed:
		b.primary++
		u := b.a.Suppressed(name)
		b.targets = append(b.targets, target{u, truth})
		return u
	}
	b.hidden++
	return b.a.Unknown(name, 0, attack.Any)
}

// cells writes down a set of groups: cell is what was published of group g at a vintage and day, false where nothing was.
func (b *publication) cells(name string, exact series, cell func(v, d, g int) (disclosure.Cell, bool)) []group {
	out := make([]group, len(exact[0][0]))
	for g := range out {
		out[g].eligible = -1
		for v := range exact {
			row := make([]attack.Unknown, v+1)
			for d := range row {
				row[d] = -1
				c, ok := cell(v, d, g)
				if !ok {
					continue
				}
				n := exact[v][d][g]
				at := fmt.Sprintf("%s %d, day %d as known on day %d", name, g, d, v)
				if out[g].eligible < 0 && c.Eligible.State != disclosure.Hidden {
					out[g].eligible = b.figure("eligible of "+at, c.Eligible, n.Eligible)
				}
				row[d] = b.figure("covered of "+at, c.Covered, n.Covered)
				if c.Covered.State == disclosure.Suppressed && c.Eligible.Value == 10 {
					tiny := b.a.Unknown("covered of "+at, 1, 12) // of 8 to 12, all but 0 is suppressed
					b.targets[len(b.targets)-1].of, row[d] = tiny, tiny
				}
				low, high := c.Covered.Range()
				if e := out[g].eligible; c.Covered.State == disclosure.NearlyAll {
					b.a.Linear(0, 7, []attack.Unknown{e, row[d]}, []int64{1, -1})
				} else if c.Covered.State == disclosure.Shown && low < high {
					b.a.Linear(8, attack.Any, []attack.Unknown{e, row[d]}, []int64{1, -1}) // else it would be nearly all
				}
				if left := n.Eligible - n.Covered; c.Covered.State != disclosure.Shown && left >= 1 && left <= 7 {
					// Not covered is no published figure, but 1 to 7 of them are as few.
					u := b.a.Unknown("not covered of "+at, 0, attack.Any)
					b.a.Sum(out[g].eligible, row[d], u)
					b.targets = append(b.targets, target{u, left})
				}
			}
			out[g].covered = append(out[g].covered, row)
		}
		b.order(out[g])
	}
	return out
}

// order says what everybody knows: covered people do not become fewer from day to day or, here, from vintage to
// vintage, and are among the eligible.
func (b *publication) order(g group) {
	for v, row := range g.covered {
		for d, u := range row {
			if u < 0 {
				continue
			}
			if g.eligible >= 0 {
				b.a.NoMore(u, g.eligible)
			}
			for e := d - 1; e >= 0; e-- {
				if row[e] >= 0 {
					b.a.NoMore(row[e], u)
					break
				}
			}
			for w := v - 1; w >= d; w-- {
				if g.covered[w][d] >= 0 {
					b.a.NoMore(g.covered[w][d], u)
					break
				}
			}
		}
	}
}

// sums says that of each vintage and day the unknowns of total are the sum of those of parts.
func (b *publication) sums(total group, parts []group) {
	add := func(total attack.Unknown, of func(group) attack.Unknown) {
		if total < 0 {
			return
		}
		var us []attack.Unknown
		for _, p := range parts {
			us = append(us, of(p))
		}
		b.a.Sum(total, us...)
	}
	add(total.eligible, func(g group) attack.Unknown { return g.eligible })
	for v, row := range total.covered {
		for d, u := range row {
			add(u, func(g group) attack.Unknown { return g.covered[v][d] })
		}
	}
}

// publish writes down everything: parts, totals, places, systems, regions, England, PCNs, local fifths, neighbourhoods,
// ethnic groups and the figures of verdicts.
func publish(t *testing.T, p *population, h habits) *publication {
	b := &publication{t: t, p: p, habits: h}
	index := func(part, q int) int { return part*6 + q }
	exact := p.count(len(p.parts)*6, func(x person) int { return index(x.part, x.quintile) })
	leaves := b.cells("part", exact, func(v, d, g int) (disclosure.Cell, bool) { return mode.Cell(exact[v][d][g]), true })

	// pick is the parts with something in common.
	pick := func(in func(part, int) bool) (at []int) {
		for i, x := range p.parts {
			for q := range 6 {
				if in(x, q) {
					at = append(at, index(i, q))
				}
			}
		}
		return at
	}
	only := func(at []int) (out []group) {
		for _, i := range at {
			out = append(out, leaves[i])
		}
		return out
	}
	counts := func(v, d int, at []int) (out []inequality.Count) {
		for _, i := range at {
			out = append(out, exact[v][d][i])
		}
		return out
	}

	// Larger figures are sums of the parts' figures: that is checked here, and then they say nothing new.
	larger := func(name string, at []int) {
		for v := range exact {
			for d := range exact[v] {
				b.sumOf(name, counts(v, d, at))
			}
		}
		if !h.exactTotals && !h.roundedTotals {
			return
		}
		own := p.count(1, func(x person) int {
			for _, i := range at {
				if i == index(x.part, x.quintile) {
					return 0
				}
			}
			return -1
		})
		total := b.cells(name, own, func(v, d, _ int) (disclosure.Cell, bool) {
			if h.exactTotals {
				return disclosure.None.Cell(own[v][d][0]), true
			}
			return mode.Cell(own[v][d][0]), true
		})
		b.sums(total[0], only(at))
	}
	for place := range 8 {
		larger(fmt.Sprintf("place %d", place), pick(func(x part, _ int) bool { return x.place == place }))
	}
	for q := range 6 {
		for s := range 4 {
			larger(fmt.Sprintf("system %d quintile %d", s, q), pick(func(x part, k int) bool { return x.system == s && k == q }))
		}
		for r := range 2 {
			larger(fmt.Sprintf("region %d quintile %d", r, q), pick(func(x part, k int) bool { return x.region == r && k == q }))
		}
	}

	// England, by quintile and together.
	for q := range 7 {
		at := pick(func(_ part, k int) bool { return q == 6 || k == q })
		own := p.count(1, func(x person) int {
			if q == 6 || x.quintile == q {
				return 0
			}
			return -1
		})
		england := b.cells(fmt.Sprintf("England %d", q), own, func(v, d, _ int) (disclosure.Cell, bool) {
			var parts []disclosure.Cell
			for _, n := range counts(v, d, at) {
				parts = append(parts, mode.Cell(n))
			}
			c := mode.National(own[v][d][0], parts)
			if all := disclosure.None.Cell(own[v][d][0]); h.exactEngland || c == all {
				return all, true
			}
			return c, false // the sum of what is known already
		})
		b.sums(england[0], only(at))
	}

	// PCNs: the people without one and the people without a place are never shown, so that nothing adds up.
	pcn := p.count(p.pcns*6, func(x person) int {
		if x.pcn < 0 {
			return -1
		}
		return x.pcn*6 + x.quintile
	})
	b.cells("PCN", pcn, func(v, d, g int) (disclosure.Cell, bool) { return mode.Cell(pcn[v][d][g]), true })

	// family is members that cut the people of the parts at another way.
	family := func(name string, of series, at []int, link disclosure.Link, weekly, unguarded bool) []group {
		out := b.cells(name, of, func(v, d, g int) (disclosure.Cell, bool) {
			if weekly && !week(v, d) {
				return disclosure.Cell{}, false
			}
			if unguarded {
				return mode.Cell(of[v][d][g]), true
			}
			cells, ok := mode.Family(counts(v, d, at), of[v][d], link)
			if !ok {
				b.hidden++
			}
			return cells[g], ok
		})
		parts := only(at)
		b.link(group{eligible: out[0].eligible}, out, parts, link, -1, -1)
		for v := range of {
			for d := range of[v] {
				b.link(group{eligible: out[0].covered[v][d]}, out, parts, link, v, d)
			}
		}
		return out
	}
	for place := range 8 {
		at := pick(func(x part, _ int) bool { return x.place == place })
		in := func(g func(person) int) func(person) int {
			return func(x person) int {
				if p.parts[x.part].place != place {
					return -1
				}
				return g(x)
			}
		}
		family(fmt.Sprintf("neighbourhood of place %d:", place), p.count(p.neighbourhoods, in(func(x person) int { return x.neighbourhood })),
			at, disclosure.Closed, true, h.anyNeighbourhood)
		// The unknown are the same people either way: the fifths 1 to 5 make up the quintiles 1 to 5.
		fifths := p.count(5, in(func(x person) int { return x.fifth - 1 }))
		areas := pick(func(x part, q int) bool { return x.place == place && q > 0 })
		local := family(fmt.Sprintf("local fifth of place %d:", place), fifths, areas, disclosure.Closed, false, h.anyFifths)
		for q := range 6 {
			cell := pick(func(x part, k int) bool { return x.place == place && k == q })
			family(fmt.Sprintf("ethnic group of place %d quintile %d:", place, q), p.count(p.ethnicities, in(func(x person) int {
				if x.quintile != q {
					return -1
				}
				return x.ethnicity
			})), cell, disclosure.Open, true, h.anyEthnicity)
		}
		// The verdict on local fifths, on days on which neither way of cutting the place has few anywhere.
		b.verdicts(func(v, d int) (used, small []inequality.Count) {
			return []inequality.Count{fifths[v][d][0], fifths[v][d][4]}, append(counts(v, d, areas), fifths[v][d]...)
		}, func(v, d int) [4]attack.Unknown {
			return [4]attack.Unknown{local[0].covered[v][d], local[0].eligible, local[4].covered[v][d], local[4].eligible}
		})
	}

	// The verdicts' figures, every day of every vintage's last complete day, for places, systems and regions.
	for name, in := range map[string]func(part) bool{
		"place 0": func(x part) bool { return x.place == 0 }, "place 1": func(x part) bool { return x.place == 1 },
		"place 2": func(x part) bool { return x.place == 2 }, "place 3": func(x part) bool { return x.place == 3 },
		"place 4": func(x part) bool { return x.place == 4 }, "place 5": func(x part) bool { return x.place == 5 },
		"system 0": func(x part) bool { return x.system == 0 }, "system 1": func(x part) bool { return x.system == 1 },
		"system 2": func(x part) bool { return x.system == 2 }, "system 3": func(x part) bool { return x.system == 3 },
		"region 0": func(x part) bool { return x.region == 0 }, "region 1": func(x part) bool { return x.region == 1 },
	} {
		q1 := pick(func(x part, q int) bool { return in(x) && q == 1 })
		q5 := pick(func(x part, q int) bool { return in(x) && q == 5 })
		total := func(us []group, of func(group) attack.Unknown) attack.Unknown {
			u := b.a.Unknown("sum of "+name, 0, attack.Any)
			var parts []attack.Unknown
			for _, x := range us {
				parts = append(parts, of(x))
			}
			b.a.Sum(u, parts...)
			return u
		}
		eligible := func(g group) attack.Unknown { return g.eligible }
		e1, e5 := total(only(q1), eligible), total(only(q5), eligible)
		b.verdicts(func(v, d int) (used, parts []inequality.Count) {
			for _, at := range [][]int{q1, q5} {
				var n inequality.Count
				for _, x := range counts(v, d, at) {
					n.Covered, n.Eligible = n.Covered+x.Covered, n.Eligible+x.Eligible
					parts = append(parts, x)
				}
				used = append(used, n)
			}
			return used, parts
		}, func(v, d int) [4]attack.Unknown {
			covered := func(g group) attack.Unknown { return g.covered[v][d] }
			return [4]attack.Unknown{total(only(q1), covered), e1, total(only(q5), covered), e5}
		})
	}
	return b
}

// week tells whether neighbourhoods and ethnic groups of day d are shown for the first time on day v, with one day's lag.
func week(v, d int) bool {
	at := func(v int) int { return int(disclosure.Vintage(start+calendar.Day(v-1)) - start) }
	return at(v) == d && at(v-1) != d
}

// sumOf checks that the figure of a sum can be had from the figures of its parts, and never shows 1 to 7.
func (b *publication) sumOf(name string, exact []inequality.Count) {
	var cells []disclosure.Cell
	var truth, sum uint64
	for _, n := range exact {
		c := mode.Cell(n)
		cells = append(cells, c)
		if n.Eligible < 8 {
			continue
		}
		truth += n.Covered
		switch c.Covered.State {
		case disclosure.Shown:
			sum += c.Covered.Value
		case disclosure.Suppressed:
			sum += 5
		case disclosure.NearlyAll:
			sum += c.Eligible.Value - 5
		}
	}
	c := disclosure.Total(cells...)
	if c.Covered.State == disclosure.Shown && (c.Covered.Value != sum || truth >= 1 && truth <= 7) ||
		c.Covered.State == disclosure.Suppressed && truth == 0 {
		b.t.Errorf("%s: %d covered are published as %+v, the parts make %d", name, truth, c.Covered, sum)
	}
	if n, ok := c.Count(); ok && n.Covered > n.Eligible {
		b.t.Errorf("%s: %d of %d are published as covered, nobody was beyond 100 %%", name, n.Covered, n.Eligible)
	}
}

// link says that the members make up the parts, or with Open that they are among them. first is the unknown that is -1
// when the members were not published.
func (b *publication) link(first group, members, parts []group, link disclosure.Link, v, d int) {
	if first.eligible < 0 {
		return
	}
	of := func(g group) attack.Unknown {
		if v < 0 {
			return g.eligible
		}
		return g.covered[v][d]
	}
	var us []attack.Unknown
	var by []int64
	for _, g := range parts {
		us, by = append(us, of(g)), append(by, 1)
	}
	for _, g := range members {
		us, by = append(us, of(g)), append(by, -1)
	}
	high := int64(0)
	if link == disclosure.Open {
		high = attack.Any
	}
	b.a.Linear(0, high, us, by)
}

// verdicts writes down the gaps to 0.1 point on each last complete day, wherever the figures are not withheld. unknowns
// are worst, ofWorst, best, ofBest.
func (b *publication) verdicts(exact func(v, d int) (used, parts []inequality.Count), unknowns func(v, d int) [4]attack.Unknown) {
	var of []attack.Gap
	var ofWorst, ofBest attack.Unknown
	for v := 1; v < b.p.days; v++ {
		d := v - 1
		used, parts := exact(v, d)
		if used[0].Eligible == 0 || used[1].Eligible == 0 {
			continue
		}
		withheld := mode.Withheld(used, parts)
		if b.habits.anyVerdict {
			withheld = mode.Withheld(used, nil)
		}
		if u := unknowns(v, d); !withheld && u[0] >= 0 {
			share := func(n inequality.Count) float64 { return float64(n.Covered) / float64(n.Eligible) }
			of = append(of, attack.Gap{Points: math.Round(1000*(share(used[1])-share(used[0]))) / 10, Worst: u[0], Best: u[2]})
			ofWorst, ofBest = u[1], u[3]
		}
	}
	if len(of) > 0 {
		b.a.Gaps(0.05, ofWorst, ofBest, of...)
		b.figures += len(of)
	}
}

// result is what an attack came to.
type result struct {
	broken  int // suppressed counts with fewer than three values left
	least   int // values left of the worst
	example string
}

func (b *publication) attack() result {
	if err := b.a.Solve(); err != nil {
		b.t.Fatal(err)
	}
	r := result{least: math.MaxInt}
	for _, x := range b.targets {
		low, high := b.a.Range(x.of)
		if int64(x.truth) < low || int64(x.truth) > high {
			b.t.Fatalf("%s is %d: the attack is wrong to leave %d to %d", b.a.Name(x.of), x.truth, low, high)
		}
		left := b.a.Values(x.of, fewest)
		if len(left) < fewest {
			r.broken++
		}
		if len(left) < r.least {
			r.least, r.example = len(left), fmt.Sprintf("%s is %d and can be %v", b.a.Name(x.of), x.truth, left)
		}
	}
	return r
}

func TestNothingSuppressedComesBack(t *testing.T) {
	for seed, days := range []int{30, 12, 12, 12, 12, 12, 12, 12} {
		b := publish(t, invent(uint64(seed), days), habits{})
		if b.hidden == 0 || b.figures == 0 {
			t.Errorf("population %d: %d members hidden, %d verdicts with figures: nothing is tried", seed, b.hidden, b.figures)
		}
		r := b.attack()
		t.Logf("population %d: %d figures suppressed, %d nearly all, %d shown, %d members hidden, %d verdicts with figures; %d targets",
			seed, b.primary, b.nearly, b.shown, b.hidden, b.figures, len(b.targets))
		if r.broken > 0 {
			t.Errorf("population %d: %d of %d come back, as %s", seed, r.broken, len(b.targets), r.example)
		}
	}
}

// Each habit is enough to give something back, so the test above can fail for each of them.
func TestBadHabitsGiveCountsBack(t *testing.T) {
	for name, h := range map[string]habits{
		"exact totals":           {exactTotals: true},
		"totals rounded apart":   {roundedTotals: true},
		"England always exact":   {exactEngland: true},
		"any neighbourhood":      {anyNeighbourhood: true},
		"any ethnic group":       {anyEthnicity: true},
		"any local fifth":        {anyFifths: true},
		"any verdict of systems": {anyVerdict: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				if r := publish(t, invent(seed, 14), h).attack(); r.broken > 0 {
					t.Logf("population %d: %d came back, as %s", seed, r.broken, r.example)
					return
				}
			}
			t.Error("nothing came back: the attack does not see it")
		})
	}
}
