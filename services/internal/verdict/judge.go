package verdict

import (
	"math"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/programme"
)

const (
	// leastUptake is the overall uptake from which on a season without a last one is judged: before it every gap opens,
	// because everything starts at zero.
	leastUptake = 0.10
	// sameList is how far the eligible people of a quintile may differ between two seasons (by this factor, up or down)
	// and still be taken for the same group. Years differ by a few percent; another age limit makes half or twice as many.
	sameList = 1.2
)

// Judge finds what each day from first to last says, one finding a day. last must be a complete day (design rule 8).
//
// Seasonal and cohort programmes are compared with the same number of days since the start of the last season (its last
// day where it was shorter), each day with its own season's eligible people. Where there is no last season, with 28 days
// earlier, from day 28 and 10 % overall uptake on. Rolling programmes are compared with the same day a year earlier
// where cover was completely known then, else with 28 days earlier; both days count complete history only. Two days of
// one season are both counted with the later day's eligible people.
func Judge(c *Case, first, last calendar.Day) []Finding {
	if last < first {
		return nil
	}
	j := newJudge(c)
	findings := make([]Finding, 0, last-first+1)
	for day := first; day <= last; day++ {
		findings = append(findings, j.day(day))
	}
	return findings
}

// judge is the work on one case; the days are asked for in order.
type judge struct {
	*Case
	now, then, equal cursor
	line             line
	z                float64
	weeks            weekly
	scatter          Scatter
	smallest         float64
}

func newJudge(c *Case) *judge {
	j := &judge{Case: c, now: cursor{days: c.Days}, then: cursor{days: c.Days}, smallest: c.Limits.SmallestChange / 100}
	j.weeks = weekly{cursor: cursor{days: c.Days}, start: c.Season.Start, flows: c.Flows}
	switch {
	case c.Kind == programme.Rolling:
		j.z = zRolling
	case c.Last != nil:
		j.then, j.equal = cursor{days: c.Last.Days}, cursor{days: c.Last.Days}
		first, last := 0.0, 0.0
		if n := len(c.Last.Days); n > 0 {
			first, last = c.Last.Days[0].uptake(), c.Last.Days[n-1].uptake()
		}
		j.line = lineFor(first, last)
	default:
		j.z = slepian(int(c.Season.End-c.Season.Start)+1-window, window)
	}
	j.scatter = c.Own
	return j
}

func (j *judge) day(day calendar.Day) Finding {
	now := j.now.at(day)
	f := Finding{Day: day, Verdict: NotEnoughData, Uptake: now.uptake()}
	if f.Missing = j.unfit(now); f.Missing.Reason == TooFewEligible || f.Missing.Reason == CoveredOver {
		return f
	}
	f.GapKnown, f.Gap = true, now.gap()
	missing := j.compareWith(&f)
	if f.Missing.Reason == "" {
		f.Missing = missing
	}
	if f.Missing.Reason != "" {
		return f
	}
	then := j.then.at(f.Against)
	if f.Missing = j.unfit(then); f.Missing.Reason != "" {
		f.Missing.Then = true
		return f
	}
	j.scatter.add(j.weeks.until(day - window))
	f.Phi = Phi(j.scatter, j.Peers)
	interval := j.withinSeason
	if f.Comparator == LastSeason {
		interval = j.acrossSeasons
	}
	half := interval(&f, now, then)
	if f.Missing.Reason != "" {
		return f
	}
	f.Compared = true
	f.Change = f.Gap - f.Before
	f.Low, f.High = f.Change-half, f.Change+half
	f.Needed = max(half, j.smallest)
	switch {
	case f.Low > 0 && f.Change >= j.smallest:
		f.Verdict = Widening
	case f.High < 0 && f.Change <= -j.smallest:
		f.Verdict = Narrowing
	case f.Low >= -j.smallest && f.High <= j.smallest:
		f.Verdict = Steady
	default:
		f.Missing = Missing{Reason: ChangeTooSmall, Have: half, Limit: f.Needed}
	}
	return f
}

// unfit is why a day's counts give no gap, or none to be compared.
func (j *judge) unfit(d *Day) Missing {
	for _, q := range [...]int{1, 5} {
		switch c := d.Quintiles[q-1]; {
		case c.Eligible < uint64(max(1, j.Limits.Floor)):
			return Missing{Reason: TooFewEligible, Quintile: q, Have: float64(c.Eligible), Limit: float64(max(1, j.Limits.Floor))}
		case c.Covered > c.Eligible:
			return Missing{Reason: CoveredOver, Quintile: q, Have: float64(c.Covered), Limit: float64(c.Eligible)}
		}
	}
	if u := d.unknown(); u*100 > j.Limits.UnknownArea {
		return Missing{Reason: UnknownArea, Have: u, Limit: j.Limits.UnknownArea / 100}
	}
	return Missing{}
}

// compareWith chooses the comparator of a day.
func (j *judge) compareWith(f *Finding) Missing {
	switch day := f.Day; {
	case j.Kind == programme.Rolling:
		f.Comparator, f.Against = YearEarlier, yearEarlier(day)
		if f.Against < j.Complete {
			f.Comparator, f.Against = DaysEarlier, day-window
		}
		if f.Against < j.Complete {
			return Missing{Reason: HistoryIncomplete, Until: j.Complete + window}
		}
	case j.Last != nil:
		f.Comparator, f.Against = LastSeason, j.Last.Season.Start+(day-j.Season.Start)
		if f.Against > j.Last.Season.End {
			f.Against, f.AtEnd = j.Last.Season.End, true
		}
	case day-j.Season.Start < window:
		return Missing{Reason: TooEarly, Until: j.Season.Start + window}
	case f.Uptake < leastUptake:
		return Missing{Reason: TooLittleUptake, Have: f.Uptake, Limit: leastUptake}
	default:
		f.Comparator, f.Against = DaysEarlier, day-window
	}
	return Missing{}
}

// yearEarlier is the same date a year before; of 29 February, 1 March.
func yearEarlier(day calendar.Day) calendar.Day { return day.AddMonths(-12) }

// acrossSeasons sets the gap before and gives the half-width of the interval of the change between two seasons: people
// of the two are taken for independent.
func (j *judge) acrossSeasons(f *Finding, now, then *Day) float64 {
	square := 0.0
	for _, q := range [...]int{1, 5} {
		a, b := now.Quintiles[q-1], then.Quintiles[q-1]
		if ratio := float64(a.Eligible) / float64(b.Eligible); ratio > sameList || ratio < 1/sameList {
			f.Missing = Missing{Reason: EligibleChanged, Quintile: q, Have: float64(a.Eligible), Limit: float64(b.Eligible)}
			return 0
		}
		square += j.line.square(a) + j.line.square(b)
	}
	f.Before = then.gap()
	if d := j.dayAt(f.Uptake); d != nil && j.unfit(d).Reason == "" {
		f.EqualKnown, f.EqualGap, f.EqualDay = true, d.gap(), d.Day
	}
	return math.Sqrt(f.Phi * square)
}

// dayAt is the last season's first day on which it had at least that overall uptake; nil if there is none.
func (j *judge) dayAt(uptake float64) *Day {
	c := &j.equal
	for c.next < len(c.days) && c.days[c.next].uptake() < uptake {
		c.next++
	}
	for c.next > 0 && c.days[c.next-1].uptake() >= uptake { // today's uptake may have been corrected downwards
		c.next--
	}
	if c.next == len(c.days) || uptake == 0 {
		return nil
	}
	return &c.days[c.next]
}

// withinSeason sets the gap before and gives the half-width of the interval of the change between two days of a season.
func (j *judge) withinSeason(f *Finding, now, then *Day) float64 {
	z := j.z
	if f.Comparator == YearEarlier {
		z = zYear
	}
	square, quintile, worst := 0.0, 0, 0.0
	var flows [5]flow
	for _, q := range [...]int{1, 5} {
		flows[q-1] = j.flow(q, now, then)
		square += flows[q-1].square(z, f.Phi)
		if moved := math.Abs(flows[q-1].then - rate(then.Quintiles[q-1])); moved >= worst {
			worst, quintile = moved, q
		}
	}
	before := flows[4].then - flows[0].then
	// The later denominator takes it that newcomers were there all the time. Where that alone makes a change that
	// matters, the change is one of the list and not of uptake.
	if math.Abs(before-then.gap()) >= j.smallest || flows[0].then > 1 || flows[4].then > 1 {
		f.Missing = Missing{
			Reason: EligibleChanged, Quintile: quintile,
			Have: float64(now.Quintiles[quintile-1].Eligible), Limit: float64(then.Quintiles[quintile-1].Eligible),
		}
		return 0
	}
	f.Before = before
	return math.Sqrt(square)
}

func (j *judge) flow(quintile int, now, then *Day) flow {
	i := quintile - 1
	n := now.Quintiles[i].Eligible
	f := flow{n: float64(n), now: rate(now.Quintiles[i]), then: rate(inequality.Count{Covered: then.Quintiles[i].Covered, Eligible: n})}
	if j.Flows {
		f.gain = between(then.Gained[i], now.Gained[i]) / f.n
		f.loss = between(then.Lost[i], now.Lost[i]) / f.n
	} else {
		f.gain, f.loss = max(0, f.now-f.then), max(0, f.then-f.now)
	}
	f.gain, f.loss = min(f.gain, 1), min(f.loss, 1)
	return f
}

func between(from, to uint64) float64 { return max(0, float64(to)-float64(from)) }
