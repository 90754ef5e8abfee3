package gap_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gapwatch/services/internal/disclosure"
	"gapwatch/services/internal/disclosure/attack"
	"gapwatch/services/internal/inequality"
)

// fewest is the number of values that must remain possible for every suppressed count.
const fewest = 3

// leaf is a part that larger figures are sums of: place x system x quintile, or PCN x quintile.
type leaf struct {
	place, system, pcn string
	quintile           int
}

// group is the unknowns of one group of people, by vintage and day. -1: nothing was published.
type group struct {
	name     string
	truth    grid
	eligible attack.Unknown
	covered  [][]attack.Unknown
}

// seen is what a reader sees of one group on one day.
type seen struct {
	covered, eligible           disclosure.State
	coveredPeople, eligibleMany uint64
}

func seenCell(c disclosure.Cell) seen {
	return seen{c.Covered.State, c.Eligible.State, c.Covered.Value, c.Eligible.Value}
}

// seenRow is a row of a view: what is withheld and of which the eligible people are withheld too has few of them.
func seenRow(c counted) (s seen) {
	switch c.Withheld {
	case "hidden":
		return seen{covered: disclosure.Hidden, eligible: disclosure.Hidden}
	case "suppressed":
		s.covered = disclosure.Suppressed
	case "nearly all":
		s.covered = disclosure.NearlyAll
	default:
		s.coveredPeople = *c.Covered
	}
	if n, ok := count(c.Eligible); ok {
		s.eligibleMany = n
	} else {
		s.eligible = disclosure.Suppressed
	}
	return s
}

// front is one season under attack.
type front struct {
	season   string
	readings []*reading
	leaves   map[leaf]*group // of places
	pcns     map[leaf]*group
	fifths   map[rowKey]*group // local fifths by level, code and number (as fifths)
}

// attacker writes down what was read, over all vintages, and solves for what was withheld.
type attacker struct {
	country    *country
	a          attack.Attack
	fronts     map[string]*front
	targets    []target
	complaints []string // of figures that are no sum of their parts, sentences that the attacker does not understand

	suppressed, nearly, shown, hidden, sums, national, figures int
}

// target is a count that must not come out.
type target struct {
	of    attack.Unknown
	truth uint64
}

func (b *attacker) complain(format string, args ...any) {
	b.complaints = append(b.complaints, fmt.Sprintf(format, args...))
}

// newAttacker writes down the readings of both seasons.
func newAttacker(c *country, past *reading, readings []*reading) *attacker {
	b := &attacker{country: c, fronts: map[string]*front{}}
	b.attackSeason(before, []*reading{past})
	b.attackSeason(now, readings)
	return b
}

func (b *attacker) attackSeason(season string, readings []*reading) {
	f := &front{season: season, readings: readings, fifths: map[rowKey]*group{}}
	b.fronts[season] = f
	f.leaves = b.leavesOf(f, func(x *resident) (leaf, bool) {
		return leaf{place: x.place, system: x.system, quintile: x.quintile}, true
	})
	f.pcns = b.leavesOf(f, func(x *resident) (leaf, bool) { return leaf{pcn: x.pcn, quintile: x.quintile}, x.pcn != "" })
	for q := range 6 { // those of no PCN are never shown
		b.link(slices.Collect(maps.Values(pick(f.pcns, func(l leaf) bool { return l.quintile == q }))), slices.Collect(maps.Values(pick(f.leaves, func(l leaf) bool { return l.quintile == q }))), false)
	}
	for v, r := range readings {
		for _, row := range r.uptake {
			if row.Fifths == "national" {
				b.larger(f, v, dayOf(season, row.Day), row.Level, row.Code, row.Quintile, row.counted, row.Withheld)
			}
		}
		for _, row := range r.gap {
			why := ""
			if row.Covered == nil {
				why = "-"
			}
			if row.Fifths == "national" {
				b.larger(f, v, dayOf(season, row.Day), row.Level, row.Code, -1, counted{row.Covered, row.Eligible, ""}, why)
			}
		}
	}
	b.localFifths(f)
	b.neighbourhoods(f)
	b.ethnicGroups(f)
	b.verdicts(f)
}

func pick[G any](groups map[leaf]G, in func(leaf) bool) map[leaf]G {
	found := map[leaf]G{}
	for l, g := range groups {
		if in(l) {
			found[l] = g
		}
	}
	return found
}

func ordered(groups map[leaf]*group) (all []*group) {
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b leaf) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.system, b.system), cmp.Compare(a.pcn, b.pcn), cmp.Compare(a.quintile, b.quintile))
	})
	for _, l := range keys {
		all = append(all, groups[l])
	}
	return all
}

// newGroup is a group of which nothing was published yet.
func newGroup(name string, truth grid) *group {
	g := &group{name: name, truth: truth, eligible: -1, covered: make([][]attack.Unknown, len(truth))}
	for v := range truth {
		g.covered[v] = slices.Repeat([]attack.Unknown{-1}, len(truth[v]))
	}
	return g
}

// leavesOf gives the attacker every part's figures: more than is published, since a place in two systems and people of
// no place are only in sums.
func (b *attacker) leavesOf(f *front, of func(*resident) (leaf, bool)) map[leaf]*group {
	groups := map[leaf]*group{}
	for l, truth := range tally(b.country, f.season, of) {
		g := newGroup(fmt.Sprintf("part %+v of season %s", l, f.season), truth)
		for v := range truth {
			for d, n := range truth[v] {
				b.write(g, v, d, seenCell(disclosure.NHSEngland.Cell(n)))
			}
		}
		b.order(g)
		groups[l] = g
	}
	return groups
}

// write writes down what was seen of a group on a day of a vintage.
func (b *attacker) write(g *group, v, d int, s seen) {
	n := g.truth[v][d]
	at := func(what string) string { return fmt.Sprintf("%s of %s, day %d of vintage %d", what, g.name, d, v) }
	if s.covered == disclosure.Hidden {
		b.hidden++
		return
	}
	few := func(u attack.Unknown, truth uint64) { b.targets = append(b.targets, target{u, truth}) }
	if g.eligible < 0 {
		if s.eligible == disclosure.Shown {
			g.eligible = b.a.Shown(at("eligible"), int64(s.eligibleMany))
		} else {
			g.eligible = b.a.Suppressed(at("eligible"))
			few(g.eligible, n.Eligible)
		}
	}
	var u attack.Unknown
	switch {
	case s.covered == disclosure.Shown:
		b.shown++
		u = b.a.Shown(at("covered"), int64(s.coveredPeople))
		if s.coveredPeople > 0 {
			b.a.Linear(8, attack.Any, []attack.Unknown{g.eligible, u}, []int64{1, -1}) // else it would be nearly all
		}
	case s.covered == disclosure.NearlyAll:
		b.nearly++
		u = b.a.Unknown(at("covered"), 8, attack.Any)
		b.a.Linear(0, 7, []attack.Unknown{g.eligible, u}, []int64{1, -1})
	case s.eligible == disclosure.Shown && s.eligibleMany == 10:
		b.suppressed++
		u = b.a.Unknown(at("covered"), 1, 12) // of 8 to 12, all but 0 is suppressed
		few(u, n.Covered)
	default:
		b.suppressed++
		u = b.a.Suppressed(at("covered"))
		few(u, n.Covered)
	}
	g.covered[v][d] = u
	if left := n.Eligible - n.Covered; s.covered != disclosure.Shown && left >= 1 && left <= 7 {
		// Not covered is no published figure, but 1 to 7 of them are as few.
		rest := b.a.Unknown(at("not covered"), 0, attack.Any)
		b.a.Sum(g.eligible, u, rest)
		few(rest, left)
	}
}

// order says that covered people do not become fewer from day to day. From vintage to vintage they may, after
// corrections: the attacker is told of which vintages that is not so.
func (b *attacker) order(g *group) {
	for v, row := range g.covered {
		for d, u := range row {
			if u < 0 {
				continue
			}
			b.a.NoMore(u, g.eligible)
			for e := d - 1; e >= 0; e-- {
				if row[e] >= 0 {
					b.a.NoMore(row[e], u)
					break
				}
			}
			if v > 0 && d < len(g.covered[v-1]) && g.covered[v-1][d] >= 0 && g.truth.monotone(v) {
				b.a.NoMore(g.covered[v-1][d], u)
			}
		}
	}
}

// orderWeeks says the same of groups of which each day is shown once.
func (b *attacker) orderWeeks(g *group) {
	last := [2]int{-1, -1}
	for v, row := range g.covered {
		for d, u := range row {
			if u < 0 {
				continue
			}
			b.a.NoMore(u, g.eligible)
			if w, e := last[0], last[1]; w >= 0 && g.truth[w][e].Covered <= g.truth[v][d].Covered {
				b.a.NoMore(g.covered[w][e], u)
			}
			last = [2]int{v, d}
		}
	}
}

// link says that on each day of each vintage the members make up the parts or, unless closed, are among them.
func (b *attacker) link(members, parts []*group, closed bool) {
	one := func(of func(*group) attack.Unknown) {
		var us []attack.Unknown
		var by []int64
		some := false
		for _, g := range members {
			if of(g) >= 0 {
				us, by, some = append(us, of(g)), append(by, -1), true
			} else if closed {
				return // one is not shown
			}
		}
		for _, g := range parts {
			us, by = append(us, of(g)), append(by, 1)
		}
		if !some {
			return
		}
		high := int64(attack.Any)
		if closed {
			high = 0
		}
		b.a.Linear(0, high, us, by)
	}
	if len(members) == 0 || len(parts) == 0 {
		return
	}
	one(func(g *group) attack.Unknown { return g.eligible })
	for v := range parts[0].covered {
		for d := range parts[0].covered[v] {
			one(func(g *group) attack.Unknown { return g.covered[v][d] })
		}
	}
}

// exactly says that the covered (or eligible) people of groups add up to as many as they do.
func (b *attacker) exactly(groups []*group, v, d int, eligible bool) {
	var us []attack.Unknown
	var sum int64
	for _, g := range groups {
		if eligible {
			us, sum = append(us, g.eligible), sum+int64(g.truth[v][d].Eligible)
		} else {
			us, sum = append(us, g.covered[v][d]), sum+int64(g.truth[v][d].Covered)
		}
	}
	if len(us) > 0 {
		b.a.Between(sum, sum, us...)
	}
}

// parts are the leaves of a geography; of all quintiles for -1.
func (f *front) parts(level, code string, quintile int) []*group {
	leaves := f.leaves
	if level == "pcn" {
		leaves = f.pcns
	}
	return ordered(pick(leaves, func(l leaf) bool {
		if quintile >= 0 && l.quintile != quintile {
			return false
		}
		switch level {
		case "pcn":
			return l.pcn == code
		case "place":
			return l.place == code
		case "system":
			return l.system == code
		case "region":
			return regionOf(l.place) == code
		}
		return level == "england"
	}))
}

// larger checks that a figure is the sum of what stands for its parts: then it says nothing beyond them and need not be
// written down. England's may be exact, which is written down.
func (b *attacker) larger(f *front, v, d int, level, code string, quintile int, row counted, withheld string) {
	parts := f.parts(level, code, quintile)
	var cells []disclosure.Cell
	var exact inequality.Count
	var covered, eligible uint64
	safe := true
	for _, g := range parts {
		n := g.truth[v][d]
		c := disclosure.NHSEngland.Cell(n)
		cells = append(cells, c)
		exact.Covered, exact.Eligible = exact.Covered+n.Covered, exact.Eligible+n.Eligible
		safe = safe && c.Covered.State == disclosure.Shown && c.Eligible.State == disclosure.Shown
		if c.Eligible.State != disclosure.Shown {
			continue
		}
		eligible += c.Eligible.Value
		switch c.Covered.State {
		case disclosure.Suppressed:
			covered += 5
		case disclosure.NearlyAll:
			covered += c.Eligible.Value - 5
		default:
			covered += c.Covered.Value
		}
	}
	total := disclosure.Total(cells...)
	shown := func(f disclosure.Figure) *uint64 { return pointer(f.Value, f.State == disclosure.Shown) }
	wantCovered, wantEligible := shown(total.Covered), shown(total.Eligible)
	is := func(a, b *uint64) bool { return same(row.Covered, a) && same(row.Eligible, b) }
	if level == "england" && safe && is(&exact.Covered, &exact.Eligible) {
		b.national++
		b.exactly(parts, v, d, false)
		b.exactly(parts, v, d, true)
		return
	}
	why := ""
	if wantCovered == nil {
		why = total.Covered.State.String()
	}
	if is(wantCovered, wantEligible) && (wantCovered == nil || *wantCovered == covered) && (wantEligible == nil || *wantEligible == eligible) && (withheld == why || withheld == "-" && why != "") {
		b.sums++
		return
	}
	b.complain("%s %s quintile %d, day %d of vintage %d of season %s: %s is not %+v, the sum of its parts (%d of %d exactly)", level, code, quintile, d, v, f.season, words(row, withheld), total, exact.Covered, exact.Eligible)
	if row.Covered != nil && *row.Covered == exact.Covered && exact.Covered != covered {
		b.exactly(parts, v, d, false)
	}
	if row.Eligible != nil && *row.Eligible == exact.Eligible && exact.Eligible != eligible {
		b.exactly(parts, v, d, true)
	}
}

func words(c counted, withheld string) string {
	one := func(n *uint64) string {
		if n == nil {
			return "null"
		}
		return fmt.Sprint(*n)
	}
	return fmt.Sprintf("%s of %s (%s)", one(c.Covered), one(c.Eligible), withheld)
}

// localFifths are the same people of known quintile cut in another way.
func (b *attacker) localFifths(f *front) {
	type key struct{ level, code, fifth string }
	truth := tally(b.country, f.season, func(x *resident) (key, bool) { return key{"place", x.place, x.placeFifth}, x.placeFifth != "" })
	maps.Copy(truth, tally(b.country, f.season, func(x *resident) (key, bool) { return key{"system", x.system, x.systemFifth}, x.systemFifth != "" }))
	for k, g := range truth {
		f.fifths[rowKey{level: k.level, code: k.code, fifths: k.fifth}] = newGroup(fmt.Sprintf("local fifth %s of %s %s of season %s", k.fifth, k.level, k.code, f.season), g)
	}
	for v, r := range f.readings {
		for _, row := range r.uptake {
			if row.Fifths != "local" {
				continue
			}
			g := f.fifths[rowKey{level: row.Level, code: row.Code, fifths: strconv.Itoa(row.Quintile)}]
			if g == nil { // nobody is in it, or those of no fifth
				if n, ok := count(row.Covered); ok && (n > 0 || row.Quintile == 0) {
					b.complain("%s %s fifth %d: %d covered, there is nobody", row.Level, row.Code, row.Quintile, n)
				}
				continue
			}
			b.write(g, v, dayOf(f.season, row.Day), seenRow(row.counted))
		}
	}
	for _, of := range [][2]string{{"place", ""}, {"system", ""}} {
		codes := map[string]bool{}
		for k := range f.fifths {
			codes[k.code] = codes[k.code] || k.level == of[0]
		}
		for _, code := range slices.Sorted(maps.Keys(codes)) {
			var members, parts []*group
			for q := 1; q <= 5; q++ {
				if g := f.fifths[rowKey{level: of[0], code: code, fifths: strconv.Itoa(q)}]; g != nil {
					members = append(members, g)
				}
				parts = append(parts, f.parts(of[0], code, q)...)
			}
			for _, g := range members {
				b.order(g)
			}
			if len(members) > 0 {
				b.link(members, parts, true)
			}
		}
	}
}

// weekly reads a family that is shown once a week, and complains where it has changed since.
func (b *attacker) weekly(f *front, name string, groups map[string]*group, rows func(*reading) []struct {
	key, day string
	counted
}) {
	first := map[[2]string]string{}
	for v, r := range f.readings {
		for _, row := range rows(r) {
			at := [2]string{row.key, row.day}
			text := words(row.counted, row.Withheld)
			if was, ok := first[at]; ok {
				if was != text {
					b.complain("%s %s on %s was %s and is %s in vintage %d", name, row.key, row.day, was, text, v)
				}
				continue
			}
			first[at] = text
			if g := groups[row.key]; g != nil {
				b.write(g, v, dayOf(f.season, row.day), seenRow(row.counted))
			} else {
				b.complain("%s %s: there is nobody", name, row.key)
			}
		}
	}
}

type weekRow = struct {
	key, day string
	counted
}

func (b *attacker) neighbourhoods(f *front) {
	groups := map[string]*group{}
	members := map[string][]*group{} // by place
	truth := tally(b.country, f.season, func(x *resident) ([2]string, bool) { return [2]string{x.place, x.neighbourhood}, x.place != "" })
	for _, k := range slices.SortedFunc(maps.Keys(truth), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		g := newGroup(fmt.Sprintf("neighbourhood %s of %s of season %s", k[1], k[0], f.season), truth[k])
		groups[k[0]+" "+k[1]] = g
		members[k[0]] = append(members[k[0]], g) // those of no neighbourhood too: they are never shown
	}
	b.weekly(f, "neighbourhood", groups, func(r *reading) (all []weekRow) {
		for _, row := range r.hoods {
			all = append(all, weekRow{row.Place + " " + row.Code, row.Day, row.counted})
			if row.Code == "" {
				b.complain("%s: those of no neighbourhood are shown", row.Place)
			}
		}
		return all
	})
	for _, place := range slices.Sorted(maps.Keys(members)) {
		for _, g := range members[place] {
			b.orderWeeks(g)
		}
		_, unknown := truth[[2]string{place, ""}]
		b.link(members[place], f.parts("place", place, -1), !unknown)
	}
}

func (b *attacker) ethnicGroups(f *front) {
	type key struct {
		place     string
		quintile  int
		ethnicity string
	}
	truth := tally(b.country, f.season, func(x *resident) (key, bool) {
		return key{x.place, x.quintile, x.ethnicity}, x.place != "" && x.ethnicity != ""
	})
	groups := map[string]*group{}
	for k, g := range truth {
		groups[fmt.Sprint(k.place, k.quintile, k.ethnicity)] = newGroup(fmt.Sprintf("ethnic group %s of quintile %d of %s of season %s", k.ethnicity, k.quintile, k.place, f.season), g)
	}
	b.weekly(f, "ethnic group", groups, func(r *reading) (all []weekRow) {
		sums := map[string]*disclosure.Sum{}
		at := func(system string, row *ethnicRow) string {
			return fmt.Sprint(system, row.Day, row.Quintile, row.Ethnicity)
		}
		for _, row := range r.ethnic {
			if row.Ethnicity == "" {
				b.complain("%s: those of no ethnic group are shown", row.Place)
			}
			if row.Place == "" {
				continue
			}
			all = append(all, weekRow{fmt.Sprint(row.Place, row.Quintile, row.Ethnicity), row.Day, row.counted})
			sum := at(systemOf(row.Place), &row)
			if sums[sum] == nil {
				sums[sum] = &disclosure.Sum{}
			}
			sums[sum].Add(shownAs(row.counted))
		}
		for _, row := range r.ethnic { // systems: sums of what is shown of places
			if row.Place != "" {
				continue
			}
			want := sums[at(row.System, &row)].Cell()
			if s := seenRow(row.counted); s != seenCell(want) {
				b.complain("ethnic group %s of quintile %d of %s: %s is not the sum of its places, %+v", row.Ethnicity, row.Quintile, row.System, words(row.counted, row.Withheld), want)
			}
		}
		return all
	})
	places := map[string]bool{}
	for k := range truth {
		places[k.place] = true
	}
	for _, place := range slices.Sorted(maps.Keys(places)) {
		for q := range 6 {
			var members []*group
			for _, e := range []string{"A", "H", "N"} {
				if g := groups[fmt.Sprint(place, q, e)]; g != nil {
					b.orderWeeks(g)
					members = append(members, g)
				}
			}
			b.link(members, f.parts("place", place, q), false)
		}
	}
}

// shownAs is a cell that is shown as a row shows it: some count that it may be of.
func shownAs(c counted) disclosure.Cell {
	s := seenRow(c)
	if s.covered == disclosure.Hidden {
		return disclosure.Cell{Covered: disclosure.Figure{State: disclosure.Hidden}, Eligible: disclosure.Figure{State: disclosure.Hidden}}
	}
	n := inequality.Count{Covered: s.coveredPeople, Eligible: s.eligibleMany}
	if s.eligible != disclosure.Shown {
		n.Eligible = 1
	}
	switch s.covered {
	case disclosure.Suppressed:
		n.Covered = 1
	case disclosure.NearlyAll:
		n.Covered = n.Eligible
	}
	return disclosure.NHSEngland.Cell(n)
}

var (
	number   = `(-?[\d,]+(?:\.\d+)?)`
	sentence = regexp.MustCompile(strings.ReplaceAll(`^Flu in \S+: (?:not enough data for a verdict: (?P<missing>.+)|the gap(?: between its own fifths)? is N points(?: \(SII N\))?`+
		`(?:, (?:steady: )?N (?:more|less) than (?:on the same day|at the end) of last season \((?:interval of the change )?N to N\))?`+
		`(?P<equal>; at the same overall uptake last season it was N)?(?:; not enough data for a verdict: (?P<why>.+))?)\.$`, "N", number))
	tooFew  = regexp.MustCompile(`^quintile (\d) has [\d,]+ eligible people( on the day compared with)?, fewer than \d+$`)
	unknown = regexp.MustCompile(`^(\d+(?:\.\d\d)?) % of covered people have no known area( on the day compared with)?, the limit is 5 %$`)
	changed = regexp.MustCompile(`^eligible people changed: quintile (\d) has [\d,]+, on the day compared with it had [\d,]+$`)
	noCount = regexp.MustCompile(strings.ReplaceAll(`^(the change is too near the N points that matter|it would take a change of N points|`+
		`there is no last season to compare with, and 28 days earlier is before the start; the first verdict is for \d{4}-\d\d-\d\d)$`, "N", number))
)

// verdicts writes down what the figures of verdicts tell. They are exact to 0.1 point and there are many of them: gap,
// change, interval, SII, day by day. The attacker is given what the most of that could come to: the exact counts of all
// five quintiles of the day, of quintiles 1 and 5 of the day compared with, and of the day of equal uptake.
func (b *attacker) verdicts(f *front) {
	known := map[string]bool{}
	past := b.fronts[before]
	for v, r := range f.readings {
		for _, row := range r.verdicts {
			if text := fmt.Sprint(row.Level, row.Code, row.Day, row.Verdict, row.Sentence, row.FiguresShown); known[text] {
				continue
			} else {
				known[text] = true
			}
			if !row.FiguresShown {
				if row.Gap != nil || row.Change != nil || row.ChangeLow != nil || row.ChangeHigh != nil || row.Needed != nil || row.SII != nil || row.Missing != "" ||
					row.Sentence != "Flu in "+row.Code+": "+row.Verdict+". The figures are withheld: too few people stand behind them." && (row.Level != "england" || !strings.HasSuffix(row.Sentence, ". The figures are withheld: too few people stand behind them.")) {
					b.complain("figures are withheld but for %+v", row)
				}
				continue
			}
			b.figures++
			d := dayOf(f.season, row.Day)
			b.quintiles(f, &row, v, d, 1, 2, 3, 4, 5)
			if row.Gap != nil {
				if gap := b.gap(f, &row, v, d); math.Abs(gap-*row.Gap) > 0.0005+1e-9 {
					b.complain("the gap of %s %s is %v, exactly %v: the attacker is wrong about it", row.Level, row.Code, *row.Gap, gap)
				}
			}
			against := -1
			if row.Against != nil {
				against = dayOf(before, *row.Against)
			}
			if row.Change != nil {
				b.quintiles(past, &row, 0, against, 1, 5)
			}
			said := sentence.FindStringSubmatch(row.Sentence)
			if said == nil {
				b.complain("the attacker does not understand %q", row.Sentence)
				continue
			}
			if said[sentence.SubexpIndex("equal")] != "" {
				b.quintiles(past, &row, 0, b.equalDay(f, &row, v, d), 1, 5)
			}
			missing := cmp.Or(said[sentence.SubexpIndex("missing")], said[sentence.SubexpIndex("why")])
			if row.Missing != "" && row.Missing != missing {
				b.complain("%q is missing, the sentence says %q", row.Missing, missing)
			}
			b.missing(f, &row, v, d, against, missing)
		}
	}
}

// missing writes down what the reason for no verdict tells.
func (b *attacker) missing(f *front, row *verdictRow, v, d, against int, text string) {
	past := b.fronts[before]
	eligible := func(f *front, v, d int, quintile string) {
		q, _ := strconv.Atoi(quintile)
		if row.Fifths == "national" {
			b.exactly(f.parts(row.Level, row.Code, q), v, d, true)
		} else if g := f.fifths[rowKey{level: row.Level, code: row.Code, fifths: quintile}]; g != nil && g.eligible >= 0 {
			b.exactly([]*group{g}, v, d, true)
		}
	}
	if m := tooFew.FindStringSubmatch(text); m != nil {
		if m[2] != "" {
			f, v, d = past, 0, against
		}
		eligible(f, v, d, m[1])
	} else if m := changed.FindStringSubmatch(text); m != nil {
		eligible(f, v, d, m[1])
		eligible(past, 0, against, m[1])
	} else if m := unknown.FindStringSubmatch(text); m != nil {
		if m[2] != "" {
			f, v, d = past, 0, against
		}
		half := int64(500) // of 100,000: half a percent, or of a hundredth
		if strings.Contains(m[1], ".") {
			half = 5
		}
		percent, _ := strconv.ParseFloat(m[1], 64)
		share := int64(math.Round(percent * 1000))
		var us []attack.Unknown
		var low, high []int64
		for q := range 6 {
			for _, g := range f.parts(row.Level, row.Code, q) {
				us, low, high = append(us, g.covered[v][d]), append(low, -(share-half)), append(high, -(share+half))
				if q == 0 {
					low[len(low)-1] += 100_000
					high[len(high)-1] += 100_000
				}
			}
		}
		b.a.Linear(0, attack.Any, us, low)
		b.a.Linear(-attack.Any, 0, us, high)
	} else if text != "" && !noCount.MatchString(text) {
		b.complain("the attacker does not understand what is missing: %q", text)
	}
}

// quintiles gives the attacker the exact counts of quintiles of a geography.
func (b *attacker) quintiles(f *front, row *verdictRow, v, d int, quintiles ...int) {
	var all []*group
	for _, q := range quintiles {
		parts := f.parts(row.Level, row.Code, q)
		if row.Fifths == "local" {
			all = append(all, parts...)
			if parts = nil; f.fifths[rowKey{level: row.Level, code: row.Code, fifths: strconv.Itoa(q)}] != nil {
				parts = []*group{f.fifths[rowKey{level: row.Level, code: row.Code, fifths: strconv.Itoa(q)}]}
			}
			if len(parts) > 0 && parts[0].covered[v][d] < 0 {
				continue // hidden: only all five together tell something of the parts
			}
		}
		b.exactly(parts, v, d, false)
		b.exactly(parts, v, d, true)
	}
	if len(quintiles) == 5 && len(all) > 0 {
		b.exactly(all, v, d, false)
		b.exactly(all, v, d, true)
	}
}

// exact is the exact counts of a quintile as a verdict uses it; of everybody for -1.
func (b *attacker) exact(f *front, row *verdictRow, v, d, q int) (n inequality.Count) {
	groups := f.parts(row.Level, row.Code, q)
	if row.Fifths == "local" && q > 0 {
		groups = nil
		if g := f.fifths[rowKey{level: row.Level, code: row.Code, fifths: strconv.Itoa(q)}]; g != nil {
			groups = []*group{g}
		}
	}
	for _, g := range groups {
		n.Covered, n.Eligible = n.Covered+g.truth[v][d].Covered, n.Eligible+g.truth[v][d].Eligible
	}
	return n
}

func (b *attacker) gap(f *front, row *verdictRow, v, d int) float64 {
	best, _ := b.exact(f, row, v, d, 5).Uptake()
	worst, _ := b.exact(f, row, v, d, 1).Uptake()
	return best - worst
}

// equalDay is the first day of the season before on which overall uptake was at least that of a day.
func (b *attacker) equalDay(f *front, row *verdictRow, v, d int) int {
	uptake, _ := b.exact(f, row, v, d, -1).Uptake()
	for e := range seasonDays {
		if then, _ := b.exact(b.fronts[before], row, 0, e, -1).Uptake(); then >= uptake {
			return e
		}
	}
	b.complain("%s %s never had that uptake in the season before", row.Level, row.Code)
	return seasonDays - 1
}

// result is what an attack came to.
type result struct {
	broken   int // suppressed counts with fewer than three values left
	least    int // values left of the worst
	examples []string
}

// solve tries each target; it stops when enough are broken. An error says that the attacker believes something wrong.
func (b *attacker) solve(enough int) (r result, err error) {
	if err := b.a.Solve(); err != nil {
		return r, err
	}
	r.least = math.MaxInt
	for _, x := range b.targets {
		if low, high := b.a.Range(x.of); int64(x.truth) < low || int64(x.truth) > high {
			return r, fmt.Errorf("%s is %d: the attack is wrong to leave %d to %d", b.a.Name(x.of), x.truth, low, high)
		}
		left := b.a.Values(x.of, fewest)
		r.least = min(r.least, len(left))
		if len(left) < fewest {
			r.broken++
			r.examples = append(r.examples, fmt.Sprintf("%s is %d and can be %v", b.a.Name(x.of), x.truth, left))
			if r.broken >= enough {
				return r, nil
			}
		}
	}
	return r, nil
}
