package disclosure_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/disclosure"
	"gapwatch/services/internal/inequality"
)

// text is a figure as NHS Digital's tables print it.
func text(f disclosure.Figure) string {
	if f.State == disclosure.Shown {
		return strconv.FormatUint(f.Value, 10)
	}
	return "*"
}

// The cases were transcribed from the tests and doc-strings of NHS Digital and OpenSAFELY.
func TestCasesOfOthers(t *testing.T) {
	root := os.Getenv("GAPWATCH_REAL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	raw, err := os.ReadFile(filepath.Join(root, "disclosure", "disclosure_cases.json"))
	if os.IsNotExist(err) {
		t.Skipf("no real data at %s: set GAPWATCH_REAL_DATA", root)
	} else if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Rules []struct {
			ID      string
			Cases   [][2]json.RawMessage
			Invalid []json.RawMessage `json:"invalid_inputs"`
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	large := disclosure.Total(mode.Cell(inequality.Count{Covered: 1000, Eligible: 2000})) // what a part is added to
	figure := map[string]func(uint64) string{
		"nhs_digital_subnational": func(n uint64) string { return text(mode.Figure(n)) },
		// A number where a figure is suppressed: what the part counts for in a sum.
		"nhs_central_suppression_method": func(n uint64) string {
			sum := disclosure.Total(large, mode.Cell(inequality.Count{Covered: n, Eligible: 1000}))
			return strconv.FormatUint(sum.Covered.Value-1000, 10)
		},
		// The same steps, with nothing where ours is suppressed.
		"opensafely_ehrql_measures": func(n uint64) string { return strconv.FormatUint(mode.Figure(n).Value, 10) },
	}
	done := 0
	for _, rule := range file.Rules {
		f := figure[rule.ID]
		if f == nil {
			if len(rule.Cases) > 0 {
				t.Errorf("%s has cases that nothing here runs", rule.ID)
			}
			continue
		}
		for _, c := range rule.Cases {
			var n uint64
			if err := json.Unmarshal(c[0], &n); err != nil {
				t.Fatal(err)
			}
			want := string(c[1])
			if s, err := strconv.Unquote(want); err == nil {
				want = s
			}
			if got := f(n); got != want {
				t.Errorf("%s: %d is shown as %s, want %s", rule.ID, n, got, want)
			}
			done++
		}
		for _, c := range rule.Invalid {
			var n uint64 // below 0 and with a decimal point there is no count at all
			if err := json.Unmarshal(c, &n); err == nil && mode.Figure(n).State != disclosure.Hidden {
				t.Errorf("%s: %d is no count of people and is shown as %s", rule.ID, n, text(mode.Figure(n)))
			}
			done++
		}
	}
	if done != 20 {
		t.Errorf("%d cases were run, want 20", done)
	}
}

func TestModes(t *testing.T) {
	for _, m := range []disclosure.Mode{disclosure.NHSEngland, disclosure.None} {
		if got, err := disclosure.ParseMode(m.String()); err != nil || got != m {
			t.Errorf("%s is read as %v, %v", m, got, err)
		}
	}
	if _, err := disclosure.ParseMode("NHS"); err == nil {
		t.Error("an unknown mode is taken for one")
	}
	var unset disclosure.Mode
	if unset != disclosure.NHSEngland {
		t.Error("with no mode set counts are not controlled")
	}
}

// With none everything is shown as it is, sums, families and verdicts too.
func TestNoneShowsEverything(t *testing.T) {
	parts := []inequality.Count{{Covered: 1, Eligible: 3}, {Covered: 9, Eligible: 9}, {}}
	var cells []disclosure.Cell
	for _, n := range parts {
		c := disclosure.None.Cell(n)
		if got, ok := c.Count(); !ok || got != n {
			t.Errorf("%+v is shown as %+v", n, c)
		}
		cells = append(cells, c)
	}
	if got, ok := disclosure.Total(cells[0], cells[2]).Count(); !ok || got != parts[0] {
		t.Errorf("the total is %+v, %v", got, ok)
	}
	if got, ok := disclosure.None.Family(parts, parts[:1], disclosure.Closed); !ok || got[0] != cells[0] {
		t.Errorf("a family is shown as %+v, %v", got, ok)
	}
	if disclosure.None.Withheld(parts, parts) {
		t.Error("figures of a verdict are withheld")
	}
	if got := disclosure.None.National(inequality.Count{Covered: 10, Eligible: 12}, cells); got.Covered.Value != 10 {
		t.Errorf("England is %+v", got)
	}
}

func TestFewNotCoveredAreNotShown(t *testing.T) {
	for _, c := range []struct {
		covered, eligible uint64
		want              disclosure.State
	}{
		{0, 100, disclosure.Shown}, {0, 3, disclosure.Shown}, {0, 0, disclosure.Shown},
		{7, 100, disclosure.Suppressed}, {7, 7, disclosure.Suppressed}, {5, 8, disclosure.Suppressed},
		{8, 100, disclosure.Shown}, {92, 100, disclosure.Shown},
		{93, 100, disclosure.NearlyAll}, {100, 100, disclosure.NearlyAll}, {10, 13, disclosure.NearlyAll},
		{8, 8, disclosure.Suppressed}, {11, 12, disclosure.Suppressed}, {3, 12, disclosure.Suppressed}, {0, 12, disclosure.Shown},
		{101, 100, disclosure.Shown}, // more than there are: an error in the data, shown as it is
	} {
		got := mode.Cell(inequality.Count{Covered: c.covered, Eligible: c.eligible})
		if got.Covered.State != c.want {
			t.Errorf("%d of %d are %s, want %s", c.covered, c.eligible, got.Covered.State, c.want)
		}
		if low, high := got.Covered.Range(); c.covered < low || c.covered > high {
			t.Errorf("%d of %d are said to be %d to %d", c.covered, c.eligible, low, high)
		}
	}
}

// What makes sums fit for charts: they never fall while no part does, lie within what their parts allow, never show 1
// to 7, are multiples of 5, and are never over 100 %.
func TestSumsBehave(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 3000 {
		parts := make([]inequality.Count, 1+r.IntN(8))
		for i := range parts {
			parts[i].Eligible = r.Uint64N(1 + 5<<r.IntN(6))
		}
		var before disclosure.Cell
		var low, high, eligible uint64
		for day := 0; ; day++ {
			var cells []disclosure.Cell
			truth, left := uint64(0), false
			low, high, eligible = 0, 0, 0
			for _, n := range parts {
				c := mode.Cell(n)
				cells = append(cells, c)
				if n.Eligible < n.Covered {
					t.Fatal("the test covers too many")
				}
				if n.Eligible >= 1 && n.Eligible <= 7 {
					continue
				}
				a, b := c.Covered.Range()
				truth, low, high, eligible = truth+n.Covered, low+a, high+b, eligible+n.Eligible
				left = left || n.Covered < n.Eligible
			}
			sum := disclosure.Total(cells...)
			shown := sum.Covered.State == disclosure.Shown
			switch v := sum.Covered.Value; {
			case shown && (v%5 != 0 || truth >= 1 && truth <= 7 || v == 0 && truth > 0):
				t.Fatalf("%d covered of %v are shown as %d", truth, parts, v)
			case shown && v > sum.Eligible.Value:
				t.Fatalf("%v: %d of %d are over 100 %%", parts, v, sum.Eligible.Value)
			case before.Covered.State == disclosure.Shown && sum.Covered.State == disclosure.Shown && v < before.Covered.Value:
				t.Fatalf("%v: %d is shown after %d", parts, v, before.Covered.Value)
			case truth < low || truth > high:
				t.Fatalf("%v: %d is outside %d to %d", parts, truth, low, high)
			}
			before = sum
			if !left {
				break
			}
			for i := range parts {
				parts[i].Covered += min(r.Uint64N(6), parts[i].Eligible-parts[i].Covered)
			}
		}
	}
}

func TestSumLeavesOutWhatSaysNothing(t *testing.T) {
	var s disclosure.Sum
	s.Add(mode.Cell(inequality.Count{Covered: 2, Eligible: 4}))
	if got := s.Cell(); got.Covered.State != disclosure.Hidden || got.Eligible.State != disclosure.Hidden {
		t.Errorf("a sum of nothing is %+v", got)
	}
	s.Add(mode.Cell(inequality.Count{Covered: 52, Eligible: 100}))
	if got, ok := s.Cell().Count(); !ok || got != (inequality.Count{Covered: 50, Eligible: 100}) || s.Left() != 1 {
		t.Errorf("the sum is %+v without %d", got, s.Left())
	}
}

func TestQuintilesSayWhichAreMissing(t *testing.T) {
	var cells [5]disclosure.Cell
	for i := range cells {
		cells[i] = mode.Cell(inequality.Count{Covered: uint64(4 + 10*i), Eligible: 100})
	}
	q, ok := disclosure.Quintiles(cells)
	if ok != [5]bool{false, true, true, true, true} || q[0] != (inequality.Count{}) || q[4] != (inequality.Count{Covered: 45, Eligible: 100}) {
		t.Errorf("quintiles are %v, %v", q, ok)
	}
}

func TestEnglandIsExactWhereNothingSmallIsInIt(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var exact inequality.Count
	var parts []disclosure.Cell
	for range 1800 {
		n := inequality.Count{Covered: 100 + r.Uint64N(1000), Eligible: 1200 + r.Uint64N(1000)}
		exact.Covered, exact.Eligible = exact.Covered+n.Covered, exact.Eligible+n.Eligible
		parts = append(parts, mode.Cell(n))
	}
	if got, ok := mode.National(exact, parts).Count(); !ok || got != exact {
		t.Errorf("England is %+v, want %+v", got, exact)
	}
	exact.Covered, exact.Eligible = exact.Covered+3, exact.Eligible+300
	parts = append(parts, mode.Cell(inequality.Count{Covered: 3, Eligible: 300}))
	if got := mode.National(exact, parts); got != disclosure.Total(parts...) {
		t.Errorf("England with a suppressed part is %+v, want the sum of the parts", got)
	}
}

// The exact count could only be right if all parts are at one end of their ranges.
func TestEnglandIsNotExactWhereItWouldSayTooMuch(t *testing.T) {
	for _, n := range []inequality.Count{{Covered: 42, Eligible: 900}, {Covered: 38, Eligible: 900}, {Covered: 40, Eligible: 902}, {Covered: 40, Eligible: 898}} {
		var exact inequality.Count
		var parts []disclosure.Cell
		for range 12 {
			exact.Covered, exact.Eligible = exact.Covered+n.Covered, exact.Eligible+n.Eligible
			parts = append(parts, mode.Cell(n))
		}
		if got := mode.National(exact, parts); got != disclosure.Total(parts...) {
			t.Errorf("England of twelve places with %v is %+v", n, got)
		}
	}
}

func TestFamilyProtectsTheEligible(t *testing.T) {
	parts := []inequality.Count{{Eligible: 6}}
	members := []inequality.Count{{Eligible: 1}, {Eligible: 1}, {Eligible: 1}, {Eligible: 1}, {Eligible: 1}, {Eligible: 1}}
	if _, ok := mode.Family(parts, members, disclosure.Open); ok {
		t.Error("six groups with somebody eligible are shown beside 7 or fewer eligible: each has 1 or 2")
	}
}

func TestFamily(t *testing.T) {
	of := func(covered ...uint64) (out []inequality.Count) {
		for _, n := range covered {
			out = append(out, inequality.Count{Covered: n, Eligible: n + 100})
		}
		return out
	}
	for name, c := range map[string]struct {
		parts, members []inequality.Count
		link           disclosure.Link
		want           bool
	}{
		"nothing small":                       {of(100, 50), of(70, 80), disclosure.Closed, true},
		"six ones beside one suppressed":      {of(6, 0), of(1, 1, 1, 1, 1, 1), disclosure.Open, false},
		"one suppressed beside a place's own": {of(100, 31), of(100, 28, 3), disclosure.Open, false},
		"few of many with a known group":      {of(100), of(5, 4, 30, 30), disclosure.Open, true},
		"members at their least":              {of(100), of(5, 4, 43, 48), disclosure.Open, true},
		"members at their most":               {of(106), of(7, 7, 42, 50), disclosure.Closed, false},
	} {
		cells, ok := mode.Family(c.parts, c.members, c.link)
		if ok != c.want {
			t.Errorf("%s: shown is %v, want %v", name, ok, c.want)
		}
		for i, x := range cells {
			if !ok && (x.Covered.State != disclosure.Hidden || x.Eligible.State != disclosure.Hidden) || ok && x != mode.Cell(c.members[i]) {
				t.Errorf("%s: member %d is %+v", name, i, x)
			}
		}
	}
}

func TestVerdictFiguresAreWithheld(t *testing.T) {
	of := func(covered, eligible uint64) inequality.Count {
		return inequality.Count{Covered: covered, Eligible: eligible}
	}
	for name, c := range map[string]struct {
		used, parts []inequality.Count
		want        bool
	}{
		"nobody covered yet":                  {[]inequality.Count{of(0, 500), of(0, 400)}, nil, false},
		"7 covered":                           {[]inequality.Count{of(7, 500), of(40, 400)}, nil, true},
		"8 covered":                           {[]inequality.Count{of(8, 500), of(40, 400)}, nil, false},
		"7 not covered":                       {[]inequality.Count{of(80, 500), of(393, 400)}, nil, true},
		"nobody left":                         {[]inequality.Count{of(80, 500), of(400, 400)}, nil, true},
		"12 eligible":                         {[]inequality.Count{of(80, 500), of(0, 12)}, nil, true},
		"8 not covered":                       {[]inequality.Count{of(80, 500), of(392, 400)}, nil, false},
		"more covered than eligible":          {[]inequality.Count{of(80, 500), of(402, 400)}, nil, false},
		"a place of the system has 3":         {[]inequality.Count{of(803, 5000), of(900, 4000)}, []inequality.Count{of(800, 4000), of(3, 1000), of(900, 4000)}, true},
		"a place of a very large system does": {[]inequality.Count{of(8003, 90_000), of(9000, 80_000)}, []inequality.Count{of(8000, 89_000), of(3, 1000), of(9000, 80_000)}, false},
	} {
		if got := mode.Withheld(c.used, c.parts); got != c.want {
			t.Errorf("%s: withheld is %v, want %v", name, got, c.want)
		}
	}
}

func TestVintageIsTheLastSunday(t *testing.T) {
	for day, want := range map[string]string{
		"2026-11-22": "2026-11-22", // a Sunday
		"2026-11-23": "2026-11-22",
		"2026-11-28": "2026-11-22",
		"2026-11-29": "2026-11-29",
		"1970-01-03": "1969-12-28",
		"1969-12-27": "1969-12-21",
	} {
		d, err := calendar.Parse(day)
		if err != nil {
			t.Fatal(err)
		}
		if got := disclosure.Vintage(d).String(); got != want {
			t.Errorf("on %s cells show %s, want %s", day, got, want)
		}
	}
}

// 300 places x 6 quintiles, their totals, systems and England, for one day of one programme.
func BenchmarkDay(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 5))
	exact := make([]inequality.Count, 300*6)
	for i := range exact {
		exact[i].Eligible = r.Uint64N(5000)
		exact[i].Covered = r.Uint64N(exact[i].Eligible + 1)
	}
	parts := make([]disclosure.Cell, len(exact))
	b.ReportAllocs()
	for b.Loop() {
		var england disclosure.Sum
		var systems [42 * 6]disclosure.Sum
		for p := range 300 {
			var total disclosure.Sum
			for q := range 6 {
				c := mode.Cell(exact[p*6+q])
				parts[p*6+q] = c
				total.Add(c)
				systems[p%42*6+q].Add(c)
				england.Add(c)
			}
			total.Cell()
		}
		mode.National(inequality.Count{}, parts)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(exact)), "ns/part")
}

// The neighbourhoods of one place of 23, as they are computed once a week.
func BenchmarkFamily(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 5))
	parts, members := make([]inequality.Count, 6), make([]inequality.Count, 23)
	for i := range members {
		members[i] = inequality.Count{Covered: r.Uint64N(200), Eligible: 200}
		parts[i%6].Covered += members[i].Covered
		parts[i%6].Eligible += 200
	}
	b.ReportAllocs()
	for b.Loop() {
		mode.Family(parts, members, disclosure.Closed)
	}
}
