package verdict

import (
	"math"
	"testing"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/programme"
)

var (
	thisSeason = programme.Season{ID: "2025-26", Start: calendar.Date(2025, 10, 1), End: calendar.Date(2026, 3, 31)}
	lastSeason = programme.Season{ID: "2024-25", Start: calendar.Date(2024, 10, 3), End: calendar.Date(2025, 3, 31)}
	limits     = programme.Limits{Floor: 100, SmallestChange: 1, UnknownArea: 5, Ceiling: 20}
)

// row is a day on which quintiles 1 and 5 have so many covered and all quintiles n eligible; those between lie between.
func row(day calendar.Day, n, first, fifth uint64) Day {
	d := Day{Day: day}
	for i := range uint64(5) {
		d.Quintiles[i] = inequality.Count{Covered: (first*(4-i) + fifth*i) / 4, Eligible: n}
	}
	return d
}

// seasonal is a case compared with the last season; a day of each.
func seasonal(now, then Day) *Case {
	return &Case{
		Kind: programme.Seasonal, Limits: limits, Season: thisSeason, Days: Series{now},
		Last:  &Past{Season: lastSeason, Days: Series{{Day: lastSeason.Start}, then}},
		Peers: Scatter{Square: 1e12, Freedom: 1e12, Weeks: 1e6}, // independent people
	}
}

func one(t *testing.T, c *Case, day calendar.Day) Finding {
	t.Helper()
	findings := Judge(c, day, day)
	if len(findings) != 1 {
		t.Fatalf("%d findings of one day", len(findings))
	}
	return findings[0]
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

const day40 = 40

func TestVerdictsAgainstLastSeason(t *testing.T) {
	now, then := thisSeason.Start+day40, lastSeason.Start+day40
	// 40,000 in each quintile: half-width 1.4802 sqrt(4/40000) = 1.4802 points (ln(1/0.0125)/2 = 2.19101, its root 1.48021).
	for _, c := range []struct {
		first, fifth uint64 // covered now; then 20,000 and 22,000
		want         Verdict
	}{
		{20000, 22593, Widening},
		{20000, 22592, NotEnoughData},
		{20000, 22000, NotEnoughData}, // no change, but one of 1.4 points would not be seen
		{20000, 21408, NotEnoughData},
		{20000, 21407, Narrowing},
	} {
		f := one(t, seasonal(row(now, 40000, c.first, c.fifth), row(then, 40000, 20000, 22000)), now)
		change := (float64(c.fifth) - 22000) / 40000
		if f.Verdict != c.want || !near(f.Change, change) || !near(f.Before, 0.05) || f.Comparator != LastSeason || f.Against != then {
			t.Errorf("%d: %+v", c.fifth, f)
		}
		if half := 0.0148021; math.Abs(f.High-f.Change-half) > 1e-6 || math.Abs(f.Change-f.Low-half) > 1e-6 || math.Abs(f.Needed-half) > 1e-6 {
			t.Errorf("%d: interval %v to %v", c.fifth, f.Low, f.High)
		}
		if c.want == NotEnoughData && (f.Missing.Reason != ChangeTooSmall || f.Missing.Limit != f.Needed) {
			t.Errorf("%d: missing %+v", c.fifth, f.Missing)
		}
	}
	// Twice the variance, wider by the root of two.
	twice := seasonal(row(now, 40000, 20000, 22593), row(then, 40000, 20000, 22000))
	twice.Peers.Square *= 2
	if f := one(t, twice, now); math.Abs(f.Phi-2) > 1e-6 || math.Abs(f.Needed-0.0148021*math.Sqrt2) > 1e-6 {
		t.Errorf("%+v", f)
	}
	// A million in each: half-width 0.296 points.
	for fifth, want := range map[uint64]Verdict{
		550000: Steady, 557000: Steady, 543000: Steady, 558000: NotEnoughData, 559999: NotEnoughData, 560000: Widening, 540000: Narrowing,
	} {
		f := one(t, seasonal(row(now, 1e6, 500000, fifth), row(then, 1e6, 500000, 550000)), now)
		if f.Verdict != want {
			t.Errorf("%d: %s, want %s", fifth, f.Verdict, want)
		}
	}
}

// Above all, what is missing is said, and figures that do not exist are not given.
func TestWhatIsMissing(t *testing.T) {
	now, then := thisSeason.Start+day40, lastSeason.Start+day40
	fine := row(then, 10000, 5000, 6000)
	change := func(d Day, f func(*Day)) Day { f(&d); return d }
	with := func(f func(*Day)) Day { return change(row(now, 10000, 5000, 6000), f) }
	for name, c := range map[string]struct {
		now, then Day
		want      Missing
	}{
		"floor":        {with(func(d *Day) { d.Quintiles[0] = inequality.Count{Covered: 50, Eligible: 99} }), fine, Missing{Reason: TooFewEligible, Quintile: 1, Have: 99, Limit: 100}},
		"nobody":       {Day{Day: now}, fine, Missing{Reason: TooFewEligible, Quintile: 1, Have: 0, Limit: 100}},
		"floor then":   {with(func(*Day) {}), change(fine, func(d *Day) { d.Quintiles[4].Eligible = 99 }), Missing{Reason: TooFewEligible, Quintile: 5, Have: 99, Limit: 100, Then: true}},
		"over":         {with(func(d *Day) { d.Quintiles[4].Covered = 10001 }), fine, Missing{Reason: CoveredOver, Quintile: 5, Have: 10001, Limit: 10000}},
		"over then":    {with(func(*Day) {}), change(fine, func(d *Day) { d.Quintiles[0].Covered = 10001 }), Missing{Reason: CoveredOver, Quintile: 1, Have: 10001, Limit: 10000, Then: true}},
		"unknown":      {with(func(d *Day) { d.Unknown.Covered = 2500 }), fine, Missing{Reason: UnknownArea, Have: 2500. / 30000, Limit: 0.05}},
		"unknown then": {with(func(*Day) {}), change(fine, func(d *Day) { d.Unknown.Covered = 2500 }), Missing{Reason: UnknownArea, Have: 2500. / 30000, Limit: 0.05, Then: true}},
		"another list": {with(func(*Day) {}), row(then, 8333, 4000, 5000), Missing{Reason: EligibleChanged, Quintile: 1, Have: 10000, Limit: 8333}},
		"other list":   {with(func(*Day) {}), row(then, 12001, 6000, 7000), Missing{Reason: EligibleChanged, Quintile: 1, Have: 10000, Limit: 12001}},
	} {
		f := one(t, seasonal(c.now, c.then), now)
		if f.Verdict != NotEnoughData || f.Missing != c.want || f.Compared || f.Change != 0 {
			t.Errorf("%s: %+v", name, f)
		}
		if gap := c.want.Reason != CoveredOver && c.want.Reason != TooFewEligible || c.want.Then; f.GapKnown != gap || math.IsNaN(f.Gap) {
			t.Errorf("%s: gap %v known %v", name, f.Gap, f.GapKnown)
		}
	}
	// A share exactly at the limit is within it.
	limit := with(func(d *Day) { d.Unknown.Covered = 1447 })
	if f := one(t, seasonal(limit, fine), now); f.Missing.Reason == UnknownArea {
		t.Errorf("%+v", f)
	}
	// A last season without counts is no comparator with nobody in it.
	c := seasonal(with(func(*Day) {}), fine)
	c.Last.Days = nil
	if f := one(t, c, now); f.Missing.Reason != TooFewEligible || !f.Missing.Then {
		t.Errorf("%+v", f)
	}
}

func TestComparator(t *testing.T) {
	start := thisSeason.Start
	first := Case{Kind: programme.Seasonal, Limits: limits, Season: thisSeason, Days: Series{
		row(start, 10000, 100, 100), row(start+28, 10000, 900, 1090), row(start+30, 10000, 950, 1050), row(start+60, 10000, 3000, 3100),
	}}
	// No last season: from day 28 and 10 % on, 28 days earlier.
	for days, want := range map[calendar.Day]Reason{27: TooEarly, 28: TooLittleUptake, 30: "", 60: ""} {
		f := one(t, &first, start+days)
		if want != "" && f.Missing.Reason != want || want == "" && (f.Comparator != DaysEarlier || f.Against != start+days-28 || !f.Compared) {
			t.Errorf("day %d: %+v", days, f)
		}
	}
	// People of unknown quintile are in overall uptake.
	unknown := first
	unknown.Days = append(Series{}, first.Days...)
	unknown.Days[1].Unknown = inequality.Count{Covered: 30, Eligible: 30}
	if f := one(t, &unknown, start+28); !f.Compared || !near(f.Uptake, (4974.+30)/50030) {
		t.Errorf("%+v", f)
	}
	// A shorter last season: its last day.
	longer := seasonal(row(start, 10000, 5000, 6000), row(lastSeason.Start, 10000, 5000, 6000))
	longer.Season.End += 30
	if f := one(t, longer, start+181); f.Against != lastSeason.End || !f.AtEnd {
		t.Errorf("%+v", f)
	}
	if f := one(t, longer, start+179); f.Against != lastSeason.End || f.AtEnd {
		t.Errorf("%+v", f)
	}

	// Rolling: complete history on both days; a year earlier where there is one.
	p := &programme.Programme{ID: "x", Kind: programme.Rolling, Validity: 12, HistoryFrom: calendar.Date(2022, 4, 1), Limits: limits}
	c, ok := New(p, programme.RollingSeason)
	if !ok || c.Complete != calendar.Date(2023, 4, 1) {
		t.Fatalf("%+v", c)
	}
	c.Days = Series{row(p.HistoryFrom, 10000, 5000, 6000)}
	for day, want := range map[calendar.Day]Finding{
		calendar.Date(2023, 4, 28): {Missing: Missing{Reason: HistoryIncomplete, Until: calendar.Date(2023, 4, 29)}},
		calendar.Date(2023, 4, 29): {Comparator: DaysEarlier, Against: calendar.Date(2023, 4, 1), Compared: true},
		calendar.Date(2024, 3, 31): {Comparator: DaysEarlier, Against: calendar.Date(2024, 3, 3), Compared: true},
		calendar.Date(2024, 4, 1):  {Comparator: YearEarlier, Against: calendar.Date(2023, 4, 1), Compared: true},
		calendar.Date(2028, 2, 29): {Comparator: YearEarlier, Against: calendar.Date(2027, 3, 1), Compared: true},
	} {
		f := one(t, &c, day)
		if want.Compared && (f.Comparator != want.Comparator || f.Against != want.Against || !f.Compared) || !want.Compared && f.Missing != want.Missing {
			t.Errorf("%s: %+v", day, f)
		}
	}

	// Which season is the last one.
	q := &programme.Programme{ID: "x", Kind: programme.Seasonal, HistoryFrom: lastSeason.Start, Seasons: []programme.Season{
		{ID: "2023-24", Start: lastSeason.Start - 400, End: lastSeason.Start - 200}, lastSeason, thisSeason,
	}}
	for id, want := range map[string]string{"2025-26": "2024-25", "2024-25": "", "2023-24": "", "none": ""} {
		if s, ok := Before(q, id); s.ID != want || ok != (want != "") {
			t.Errorf("before %s: %q", id, s.ID)
		}
	}
	if _, ok := New(q, "none"); ok {
		t.Error("a season that there is not")
	}
}

// Within a season: the later denominator for both days, variance (g + l - (g-l)^2)/n.
func TestChangeWithinASeason(t *testing.T) {
	start := thisSeason.Start
	c := Case{Kind: programme.Seasonal, Limits: limits, Season: thisSeason, Flows: true, Days: Series{
		row(start+10, 20000, 4000, 5000), row(start+38, 20200, 6000, 8000),
	}}
	c.Days[1].Gained, c.Days[1].Lost = [5]uint64{2100, 0, 0, 0, 3050}, [5]uint64{100, 0, 0, 0, 50}
	f := one(t, &c, start+38)
	n := 20200.
	if !near(f.Gap, 2000/n) || !near(f.Before, 1000/n) || f.Phi != 2 {
		t.Errorf("%+v", f)
	}
	z := slepian(182-28, 28)
	term := func(g, l float64) float64 {
		g, l = g/n, l/n
		return 2*z*z*(g+l-(g-l)*(g-l))/n + math.Pow(2*z*z/(2*n), 2)
	}
	if half := math.Sqrt(term(2100, 100) + term(3050, 50)); math.Abs(f.High-f.Change-half) > 1e-12 {
		t.Errorf("half-width %v, want %v", f.High-f.Change, half)
	}
	if f.Verdict != Widening {
		t.Errorf("%+v", f)
	}
	// Without flows the net change is taken.
	c.Flows = false
	f = one(t, &c, start+38)
	if half := math.Sqrt(term(2000, 0) + term(3000, 0)); math.Abs(f.High-f.Change-half) > 1e-12 {
		t.Errorf("half-width %v, want %v", f.High-f.Change, half)
	}
	// A list that grows alike by a percent changes nothing; one that makes a point of gap by itself does.
	for n, want := range map[uint64]Reason{20200: "", 21600: EligibleChanged} {
		c.Days[1].Quintiles[0].Eligible = n
		if f := one(t, &c, start+38); f.Missing.Reason != want {
			t.Errorf("%d eligible: %+v", n, f)
		}
	}
	// Fewer eligible now than covered then.
	c.Days[1].Quintiles[0] = inequality.Count{Covered: 3000, Eligible: 3500}
	if f := one(t, &c, start+38); f.Missing.Reason != EligibleChanged || f.Missing.Quintile != 1 {
		t.Errorf("%+v", f)
	}
}

func TestFlowVariance(t *testing.T) {
	for _, c := range []struct {
		f    flow
		want float64
	}{
		{flow{now: 0.5, then: 0.3, gain: 0.2}, 0.16},
		{flow{now: 0.6, then: 0.6, gain: 0.05, loss: 0.05}, 0.1},
		{flow{now: 0.6, then: 0.6, gain: 0.6, loss: 0.6}, 0.8},   // no more than four in ten can have gained, and as many lost
		{flow{now: 0.25, then: 0.25, gain: 0.9, loss: 0.9}, 0.5}, // those covered then, and those covered now
		{flow{now: 0.2, then: 0.2}, 0},
	} {
		if got := c.f.variance(); !near(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.f, got, c.want)
		}
	}
}

func TestLine(t *testing.T) {
	k := math.Sqrt(math.Log(1/lookedAt) / 2)
	for _, c := range []struct{ first, last, focus float64 }{
		{0.01, 0.75, 0.5}, {0.8, 0.95, 0.8}, {0.01, 0.3, 0.3}, {0, 0, 0.02}, {0.99, 1, 0.98}, {0.7, 0.6, 0.7},
	} {
		l := lineFor(c.first, c.last)
		if !near(l.atNone*l.atAll, k*k) {
			t.Errorf("%v: the risk of %+v is not the one set", c, l)
		}
		// Narrowest in standard deviations at its focus.
		z := func(p float64) float64 { return (l.atNone*(1-p) + l.atAll*p) / math.Sqrt(p*(1-p)) }
		if at := z(c.focus); !near(at, 2*k) || z(c.focus+0.01) < at || z(c.focus-0.01) < at {
			t.Errorf("%v: %v at the focus", c, at)
		}
	}
}

func TestCrossing(t *testing.T) {
	for _, times := range []float64{1, 5.5, 13} {
		z := crossing(times)
		if risk := times*z*math.Exp(-z*z/2)/math.Sqrt(2*math.Pi) + math.Erfc(z/math.Sqrt2)/2; math.Abs(risk-Risk) > 1e-9 {
			t.Errorf("%v windows: z %v has risk %v", times, z, risk)
		}
	}
	if z := slepian(10, 28); z != crossing(1) {
		t.Errorf("fewer looks than a window: %v", z)
	}
}

// A day left out is as the one before it, and the findings of a stretch are those of its days.
func TestSparseAndInOnePass(t *testing.T) {
	start := thisSeason.Start
	var dense, sparse, past Series
	for d := range calendar.Day(150) {
		n := uint64(d/3) * 3
		dense = append(dense, row(start+d, 10000, 40*n, 45*n))
		if d%3 == 0 {
			sparse = append(sparse, row(start+d, 10000, 40*n, 45*n))
		}
		past = append(past, row(lastSeason.Start+d, 10000, 41*uint64(d), 44*uint64(d)))
	}
	for _, last := range []*Past{nil, {Season: lastSeason, Days: past}} {
		a := Case{Kind: programme.Seasonal, Limits: limits, Season: thisSeason, Days: dense, Last: last}
		b := a
		b.Days = sparse
		all := Judge(&a, start, start+149)
		for i, f := range Judge(&b, start, start+149) {
			if f != all[i] {
				t.Fatalf("day %d: %+v, with all days %+v", i, f, all[i])
			}
			if g := one(t, &a, start+calendar.Day(i)); g != f {
				t.Fatalf("day %d alone: %+v, in one pass %+v", i, g, f)
			}
		}
	}
	if Judge(&Case{}, 5, 4) != nil {
		t.Error("days before the first")
	}
}

// The gap of the last season on the first day on which it had today's overall uptake.
func TestEqualUptake(t *testing.T) {
	start := thisSeason.Start
	c := seasonal(row(start+10, 10000, 2000, 3000), Day{})
	c.Last.Days = Series{
		row(lastSeason.Start, 10000, 1000, 1000), row(lastSeason.Start+7, 10000, 2400, 2800), row(lastSeason.Start+20, 10000, 2600, 3200),
	}
	if f := one(t, c, start+10); !f.EqualKnown || !near(f.EqualGap, 0.04) || !near(f.Before, 0.04) {
		t.Errorf("%+v", f) // 25 % against 26 % of day 7
	}
	c.Days = Series{row(start+10, 10000, 2700, 3000), row(start+11, 10000, 2900, 3200), row(start+12, 10000, 500, 900)}
	got := Judge(c, start+10, start+12)
	if !got[0].EqualKnown || !near(got[0].EqualGap, 0.06) || got[1].EqualKnown || !got[2].EqualKnown || !near(got[2].EqualGap, 0) {
		t.Errorf("%+v", got) // reached on day 20; never; and corrected downwards
	}
}

func BenchmarkJudge(b *testing.B) {
	c := seasonal(Day{}, Day{})
	c.Days, c.Last.Days = nil, nil
	for d := range calendar.Day(180) {
		c.Days = append(c.Days, row(thisSeason.Start+d, 10000, 40*uint64(d), 45*uint64(d)))
		c.Last.Days = append(c.Last.Days, row(lastSeason.Start+d, 10000, 41*uint64(d), 44*uint64(d)))
	}
	b.ReportAllocs()
	for b.Loop() {
		Judge(c, thisSeason.Start, thisSeason.Start+179)
	}
	b.ReportMetric(float64(b.N)*180/b.Elapsed().Seconds(), "days/s")
}
