package gap

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/verdict"
)

// areaKey names a geography.
type areaKey struct{ level, code string }

// standing is the verdict on one geography so far.
type standing struct {
	verdict.State
	fifths string
	n      uint32 // changes logged
}

// judge takes the complete days since the last time into the verdict on each geography, logs each change and stores
// where it stands. It returns how many changes were logged. A geography's changes are logged before its standing is
// stored: after a crash in between, its standing is that of its newest change.
func (k *Keeper) judge(ctx context.Context, s, past *season, all, earlier []*place) (int, error) {
	standings, err := k.standings(ctx, s)
	if err != nil {
		return 0, err
	}
	before, now := judged(earlier), judged(all)
	scatters := learnScatter(past, before)
	changes := 0
	var rows [][]any
	for _, g := range all {
		key := areaKey{g.level, g.code}
		if g.fifths != national || now[key] == nil {
			continue
		}
		if s.complete < standings[key].Day && standings[key].Started {
			continue
		}
		at := standings[key]
		if !at.Started || at.fifths == "" {
			at.fifths = k.fifthsOf(s, now[key])
		}
		g := now[key][at.fifths]
		if g == nil {
			continue
		}
		c, ok := verdict.New(s.programme, s.season.ID)
		if !ok {
			return changes, fmt.Errorf("season %s is not in the programme", s.season.ID)
		}
		c.Days, c.Flows = series(g, s), true
		c.Own, c.Peers = scatters.of(key)
		if last := before[key][at.fifths]; last != nil {
			c.Last = &verdict.Past{Season: past.season, Days: series(last, past)}
		}
		first := s.first
		if at.Started {
			first = at.Day + 1
		}
		c.Season.Start = max(c.Season.Start, s.first) // a rolling programme has days of the last years only
		findings := verdict.Judge(&c, min(first, s.complete), s.complete)
		// The last complete day may be judged again: late events change what is shown of it, not what was said, since Step
		// takes a day in once.
		for i := range findings {
			was := at.Verdict()
			var changed bool
			if at.State, changed = verdict.Step(at.State, &findings[i]); changed {
				at.n++
				o := k.opinion(s, past, g, before[key][at.fifths], &findings[i])
				if err := k.log(ctx, s, g, at, was, &o); err != nil {
					return changes, err
				}
				changes++
			}
		}
		if len(findings) == 0 {
			continue
		}
		f := &findings[len(findings)-1]
		o := k.opinion(s, past, g, before[key][at.fifths], f)
		if at.InForce == "" {
			at.Since = s.first // no verdict has been in force yet
		}
		rows = append(rows, []any{s.programme.ID, s.season.ID, g.level, g.code, f.Day.Time(), at.fifths, string(at.Verdict()), at.Since.Time(), uint8(at.Differ),
			f.Missing.Words(), string(f.Comparator), f.Against.Time(), o.sentence, o.shown,
			o.gap, o.change, o.low, o.high, o.needed, o.sii, s.id})
	}
	return changes, k.insert(ctx, `judged (programme, season, level, code, day, fifths, verdict, since, differ, missing, comparator, against, sentence, shown,
		gap, change, change_low, change_high, needed, sii, id)`, "", len(rows), func(i int) []any { return rows[i] })
}

// judged are the geographies that get a verdict, by kind of fifths: places, systems, regions and England.
func judged(all []*place) map[areaKey]map[string]*place {
	of := map[areaKey]map[string]*place{}
	for _, g := range all {
		if g.level == levelPCN {
			continue
		}
		key := areaKey{g.level, g.code}
		if of[key] == nil {
			of[key] = map[string]*place{}
		}
		of[key][g.fifths] = g
	}
	return of
}

// fifthsOf is which fifths the verdict on a geography uses for the season: national quintiles, or its own fifths where
// quintile 1 or 5 has fewer eligible people than the floor.
func (k *Keeper) fifthsOf(s *season, g map[string]*place) string {
	q, floor := g[national].quintiles(s.at(s.complete)), uint64(s.programme.Limits.Floor)
	if g[local] == nil || q[0].Eligible >= floor && q[4].Eligible >= floor {
		return national
	}
	return local
}

// series is a geography's days as verdicts take them.
func series(g *place, s *season) verdict.Series {
	days := make(verdict.Series, s.days())
	for d := range days {
		day := verdict.Day{Day: s.first + calendar.Day(d), Quintiles: g.quintiles(d), Unknown: g.exact[0].count(d)}
		for q := range day.Gained {
			day.Gained[q], day.Lost[q] = g.exact[q+1].gained[d], g.exact[q+1].lost[d]
		}
		days[d] = day
	}
	return days
}

// scatters is the evidence on over-dispersion from the season before, by geography and in all of each level.
type scatters struct {
	own   map[areaKey]verdict.Scatter
	level map[string]verdict.Scatter
}

func learnScatter(past *season, before map[areaKey]map[string]*place) scatters {
	sc := scatters{map[areaKey]verdict.Scatter{}, map[string]verdict.Scatter{}}
	if past == nil {
		return sc
	}
	for key, g := range before {
		own := verdict.Learn(series(g[national], past), true, past.season.Start, past.last)
		sc.own[key] = own
		sc.level[key.level] = sc.level[key.level].Add(own)
	}
	return sc
}

// of is a geography's own evidence and that of the others of its level.
func (sc scatters) of(key areaKey) (own, peers verdict.Scatter) {
	own, peers = sc.own[key], sc.level[key.level]
	peers.Square, peers.Freedom, peers.Weeks = peers.Square-own.Square, peers.Freedom-own.Freedom, peers.Weeks-own.Weeks
	return own, peers
}

// standings are the verdicts of a season so far.
func (k *Keeper) standings(ctx context.Context, s *season) (map[areaKey]standing, error) {
	of := map[areaKey]standing{}
	if err := k.each(ctx, "judged", k.programmeArgs(s), func(rows driver.Rows) error {
		var key areaKey
		var st standing
		var day, since int32
		var inForce string
		var differ uint8
		err := rows.Scan(&key.level, &key.code, &day, &inForce, &since, &differ, &st.fifths)
		st.State = verdict.State{Day: calendar.Day(day), Started: true, InForce: verdict.Verdict(inForce), Since: calendar.Day(since), Differ: int(differ)}
		of[key] = st
		return err
	}); err != nil {
		return nil, err
	}
	return of, k.each(ctx, "logged", k.programmeArgs(s), func(rows driver.Rows) error {
		var key areaKey
		var n uint32
		var day int32
		var inForce, fifths string
		if err := rows.Scan(&key.level, &key.code, &n, &inForce, &day, &fifths); err != nil {
			return err
		}
		st := of[key]
		st.n = n
		if calendar.Day(day) > st.Day || !st.Started { // the keeper was cut off after this change
			st.State = verdict.State{Day: calendar.Day(day), Started: true, InForce: verdict.Verdict(inForce), Since: calendar.Day(day)}
			st.fifths = fifths
		}
		if st.InForce != verdict.Verdict(inForce) { // another keeper, with other counts, was first
			st.InForce, st.Since = verdict.Verdict(inForce), calendar.Day(day)
		}
		of[key] = st
		return nil
	})
}

// opinion is a finding in words and figures.
type opinion struct {
	*verdict.Finding
	sentence                            string
	shown                               bool
	gap, change, low, high, needed, sii *float64
}

// opinion says a finding of a geography. last is the geography in the season before, nil if there is none.
func (k *Keeper) opinion(s, past *season, g, last *place, f *verdict.Finding) opinion {
	o := opinion{Finding: f}
	subject := verdict.Subject{Programme: s.programme.Name, Geography: k.places.name(g.code), LocalFifths: g.fifths == local}
	at := s.at(f.Day)
	exact := g.quintiles(at)
	if e, ok := inequality.Of(exact, uint64(s.programme.Limits.Floor)).SII.Get(); ok {
		subject.SIIKnown, subject.SII = true, e.Value
		o.sii = &e.Value
	}
	o.sentence = f.Sentence(subject)
	used, parts := exact[:], g.partsOn(at)
	if f.GapKnown {
		o.gap = &f.Gap
	}
	if f.Compared {
		o.change, o.low, o.high, o.needed = &f.Change, &f.Low, &f.High, &f.Needed
	}
	// Other days are in the figures or the sentence too, also where there is no change to give.
	with, of := g, s
	if f.Comparator == verdict.LastSeason {
		with, of = last, past
	}
	then := func(day calendar.Day) {
		if with == nil || of.at(day) < 0 {
			return
		}
		q := with.quintiles(of.at(day))
		used, parts = append(used, q[0], q[4]), append(parts, with.partsOn(of.at(day))...)
	}
	if f.Compared || f.Missing.Then || f.Missing.Reason == verdict.EligibleChanged {
		then(f.Against)
	}
	if f.EqualKnown {
		then(f.EqualDay)
	}
	o.shown = !k.config.Disclosure.Withheld(used, parts)
	// So are people of unknown quintile, where there are too many of them or overall uptake is too low.
	if reason := f.Missing.Reason; reason == verdict.UnknownArea || reason == verdict.TooLittleUptake {
		if !f.Missing.Then {
			with, of, at = g, s, s.at(f.Day)
		} else if of != nil {
			at = of.at(f.Against)
		}
		if with != nil && at >= 0 {
			share, parts := with.unknownOn(at, reason == verdict.UnknownArea)
			o.shown = o.shown && !k.config.Disclosure.Withheld([]inequality.Count{share}, parts)
		}
	}
	return o
}

// unknownOn are the covered people of unknown quintile on a day, together and by the parts that they are the sum of, of
// all who are covered or of all who are eligible.
func (g *place) unknownOn(day int, ofCovered bool) (share inequality.Count, parts []inequality.Count) {
	for _, p := range slices.Concat(g.inside, g.outside) {
		n := p.count(day)
		if ofCovered {
			n.Eligible = n.Covered
		}
		share.Eligible += n.Eligible
	}
	for _, p := range g.outside {
		n := p.count(day).Covered
		share.Covered += n
		parts = append(parts, inequality.Count{Covered: n})
	}
	for i := range parts {
		parts[i].Eligible = share.Eligible
	}
	return share, parts
}

// partsOn are the exact counts of a day that the geography's quintiles are the sum of.
func (g *place) partsOn(day int) []inequality.Count {
	all := make([]inequality.Count, len(g.inside))
	for i, p := range g.inside {
		all[i] = p.count(day)
	}
	return all
}

// log writes one change of a verdict. Its token is its id: of two keepers that make the same change one is heard.
func (k *Keeper) log(ctx context.Context, s *season, g *place, at standing, was verdict.Verdict, o *opinion) error {
	id := strings.Join([]string{s.programme.ID, s.season.ID, g.code, fmt.Sprint(at.n)}, "/")
	k.config.Log.Info("verdict", "programme", s.programme.ID, "season", s.season.ID, "geography", g.code, "verdict", string(at.Verdict()), "day", o.Day, "n", at.n)
	return k.insert(ctx, `verdict_log (event_id, programme, season, level, code, name, n, verdict, previous, day, decided_at, fifths, comparator, against,
		sentence, shown, gap, change, change_low, change_high, sii, id)`, id, 1, func(int) []any {
		return []any{id, s.programme.ID, s.season.ID, g.level, g.code, k.places.name(g.code), at.n, string(at.Verdict()), string(was), o.Day.Time(), k.config.Now(),
			at.fifths, string(o.Comparator), o.Against.Time(), o.sentence, o.shown, o.gap, o.change, o.low, o.high, o.sii, s.id}
	})
}
