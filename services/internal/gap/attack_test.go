package gap_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/disclosure"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/intervention"
	"gapwatch/services/internal/trajectory"
)

// taught are the views that the attacker knows, with the columns that say something about people. The others are names,
// settings and days. A view or a column that is not here fails the test until somebody has thought about it.
var taught = map[string]struct{ about, figures string }{
	"uptake": {`programme programme_name name place_code place_name system_code system_name region_code region_name season_day complete quintile_label target`,
		`season level code fifths day quintile covered eligible withheld uptake uptake_low uptake_high pace short_to_best short_to_target`},
	"gap": {`programme programme_name name place_code place_name system_code system_name region_code region_name season_day complete target`,
		`season level code fifths day covered eligible uptake unknown_area uptake_1 uptake_2 uptake_3 uptake_4 uptake_5
		gap gap_low gap_high ratio ratio_low ratio_high sii sii_low sii_high rii rii_low rii_high sii_linear sii_linear_low sii_linear_high
		rii_linear rii_linear_low rii_linear_high not_computed short_to_best short_to_target biggest_win`},
	"neighbourhoods": {`programme programme_name place_name system_code system_name region_code region_name name flags target`,
		`season day place_code code covered eligible withheld uptake uptake_low uptake_high short_to_target pace rank ranked furthest_behind`},
	"ethnicity": {`programme programme_name place_name system_name quintile_label ethnicity_label`,
		`season day place_code system_code quintile ethnicity covered eligible withheld uptake`},
	"verdicts": {`programme programme_name name system_code system_name region_code region_name over comparator since ceiling`,
		`season level code day verdict fifths against figures_shown sentence missing gap change change_low change_high needed sii`},
	"verdict_changes": {`event_id programme programme_name name system_code system_name region_code region_name n previous decided_at published_at comparator`,
		`season level code day verdict fifths against figures_shown sentence gap change change_low change_high sii`},
	"trajectory": {`programme programme_name name system_code system_name quintile_label target method`,
		`season level code quintile day uptake status projected projected_low projected_high reached_on reached_earliest reached_latest pace_needed people_needed`},
	"behind": {`programme programme_name name system_code system_name quintile_label limit sentence`,
		`season level code quintile day against uptake expected behind needed is_behind`},
	"gap_now": {`programme programme_name position name place_code place_name system_code system_name region_code region_name over season_day target`,
		`season level code day covered eligible uptake unknown_area uptake_1 uptake_2 uptake_3 uptake_4 uptake_5 gap gap_low gap_high ratio ratio_low ratio_high
		sii sii_low sii_high rii rii_low rii_high not_computed short_to_best short_to_target biggest_win`},
	"rule_breaks": {`programme programme_name name system_code limit sentence`, `season level code day rule figure`},
	"interventions": {`programme programme_name level name system_code label from_day to_day`,
		`code season measure day effect low high here elsewhere places not_computed`},
	// Settings, the calendar, names, and counts that others have published.
	"programmes":    {`programme programme_name position kind eligible_group target ceiling behind smallest_change floor unknown_area imd_edition history_from source`, ``},
	"seasons":       {`programme programme_name kind season starts_on ends_on newest over last_complete_day last_week previous_season previous_ahead`, ``},
	"complete_days": {`programme programme_name last_complete lag_days basis lag_days_1 lag_days_2 lag_days_3 lag_days_4 lag_days_5 as_of learnt_at`, ``},
	"geographies":   {`level code name place_code place_name system_code system_name region_code region_name`, ``},
	"history":       {`programme season code name day quintile quintile_label covered eligible uptake`, ``},
	// Messages, of whomever, and the hours in which they came.
	"feed":             {`at stored dead_lettered lost waiting unaccounted oldest_waiting_seconds behind_seconds stream_full dead_letters_full events_per_second`, ``},
	"feed_now":         {`at age_seconds stored dead_lettered lost lost_last_day waiting unaccounted oldest_waiting_seconds behind_seconds stream_full dead_letters_full events_per_second stale sentence`, ``},
	"providers":        {`provider first_event last_event quiet_hours pauses usual_pause_hours silent sentence`, ``},
	"dead_letters":     {`hour reason field letters`, ``},
	"dead_letters_now": {`reason field last_hour last_day usual_per_hour rising sentence`, ``},
	"rejections":       {`sender hour door reason field items`, ``},
}

// counted is a pair of figures as views show it.
type counted struct {
	Covered  *uint64 `json:"covered"`
	Eligible *uint64 `json:"eligible"`
	Withheld string  `json:"withheld"`
}

type uptakeRow struct {
	Season, Level, Code, Fifths, Day string
	Quintile                         int
	counted
	Uptake        *float64 `json:"uptake"`
	Low           *float64 `json:"uptake_low"`
	High          *float64 `json:"uptake_high"`
	Pace          *float64 `json:"pace"`
	ShortToBest   *uint64  `json:"short_to_best"`
	ShortToTarget *uint64  `json:"short_to_target"`
}

// gapRow has all measures in the order of inequality.Measures, each with low and high.
type gapRow struct {
	Season, Level, Code, Fifths, Day string
	Covered, Eligible                *uint64
	Uptake                           *float64
	UnknownArea                      *float64 `json:"unknown_area"`
	Uptake1                          *float64 `json:"uptake_1"`
	Uptake2                          *float64 `json:"uptake_2"`
	Uptake3                          *float64 `json:"uptake_3"`
	Uptake4                          *float64 `json:"uptake_4"`
	Uptake5                          *float64 `json:"uptake_5"`
	Gap                              *float64
	GapLow                           *float64 `json:"gap_low"`
	GapHigh                          *float64 `json:"gap_high"`
	Ratio                            *float64
	RatioLow                         *float64 `json:"ratio_low"`
	RatioHigh                        *float64 `json:"ratio_high"`
	SII                              *float64
	SIILow                           *float64 `json:"sii_low"`
	SIIHigh                          *float64 `json:"sii_high"`
	RII                              *float64
	RIILow                           *float64 `json:"rii_low"`
	RIIHigh                          *float64 `json:"rii_high"`
	SIILinear                        *float64 `json:"sii_linear"`
	SIILinearLow                     *float64 `json:"sii_linear_low"`
	SIILinearHigh                    *float64 `json:"sii_linear_high"`
	RIILinear                        *float64 `json:"rii_linear"`
	RIILinearLow                     *float64 `json:"rii_linear_low"`
	RIILinearHigh                    *float64 `json:"rii_linear_high"`
	NotComputed                      string   `json:"not_computed"`
	ShortToBest                      *uint64  `json:"short_to_best"`
	ShortToTarget                    *uint64  `json:"short_to_target"`
	BiggestWin                       *uint64  `json:"biggest_win"`
}

type hoodRow struct {
	Season, Day string
	Place       string `json:"place_code"`
	Code        string
	counted
	Uptake        *float64 `json:"uptake"`
	Low           *float64 `json:"uptake_low"`
	High          *float64 `json:"uptake_high"`
	ShortToTarget *uint64  `json:"short_to_target"`
	Pace          *float64 `json:"pace"`
	Rank          *uint64
	Ranked        uint64
	Furthest      bool `json:"furthest_behind"`
}

type ethnicRow struct {
	Season, Day string
	Place       string `json:"place_code"`
	System      string `json:"system_code"`
	Quintile    int
	Ethnicity   string
	counted
	Uptake *float64 `json:"uptake"`
}

// verdictRow is one of verdicts or of verdict_changes.
type verdictRow struct {
	Season, Level, Code, Day, Verdict, Fifths string
	Against                                   *string
	FiguresShown                              bool `json:"figures_shown"`
	Sentence, Missing                         string
	Gap, Change, Needed, SII                  *float64
	ChangeLow                                 *float64 `json:"change_low"`
	ChangeHigh                                *float64 `json:"change_high"`
}

type aheadRow struct {
	Season, Level, Code string
	Quintile            int
	Day                 string
	Uptake              *float64
	Status              string
	Projected           *float64
	Low                 *float64 `json:"projected_low"`
	High                *float64 `json:"projected_high"`
	Reached             *string  `json:"reached_on"`
	Earliest            *string  `json:"reached_earliest"`
	Latest              *string  `json:"reached_latest"`
	PaceNeeded          *float64 `json:"pace_needed"`
	PeopleNeeded        *uint64  `json:"people_needed"`
}

type behindRow struct {
	Season, Level, Code              string
	Quintile                         int
	Day                              string
	Against                          *string
	Uptake, Expected, Behind, Needed *float64
	IsBehind                         bool `json:"is_behind"`
}

type breakRow struct {
	Season, Level, Code, Day, Rule string
	Figure                         *float64
}

type effectRow struct {
	Code, Season, Measure              string
	Day                                *string
	Effect, Low, High, Here, Elsewhere *float64
	Places                             *uint64
	NotComputed                        string `json:"not_computed"`
}

// reading is all that somebody at Grafana has read at a vintage.
type reading struct {
	uptake   []uptakeRow
	gap      []gapRow
	hoods    []hoodRow
	ethnic   []ethnicRow
	verdicts []verdictRow // with the changes
	ahead    []aheadRow
	behind   []behindRow
	breaks   []breakRow
	latest   []gapRow // of gap_now
	effects  []effectRow
}

// ask gives the rows of a query.
func ask[T any](t *testing.T, url, query string) []T {
	t.Helper()
	answer, err := http.Post(url+"/?default_format=JSONEachRow&output_format_json_quote_64bit_integers=0&max_threads=1", "text/plain", strings.NewReader(query))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		t.Fatalf("%s: %s", query, text)
	}
	var rows []T
	for d := json.NewDecoder(answer.Body); ; {
		var row T
		if err := d.Decode(&row); err == io.EOF {
			return rows
		} else if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

// view reads all figures of a view; where narrows them down.
func view[T any](t *testing.T, url, name, where string) []T {
	t.Helper()
	return ask[T](t, url, "SELECT "+strings.Join(strings.Fields(taught[name].figures), ", ")+" FROM reporting."+name+" WHERE "+where)
}

// read reads everything of a season.
func read(t *testing.T, url, season string) *reading {
	t.Helper()
	of := "season = '" + season + "'"
	r := &reading{
		uptake: view[uptakeRow](t, url, "uptake", of), gap: view[gapRow](t, url, "gap", of),
		hoods: view[hoodRow](t, url, "neighbourhoods", of), ethnic: view[ethnicRow](t, url, "ethnicity", of),
		verdicts: append(view[verdictRow](t, url, "verdicts", of), view[verdictRow](t, url, "verdict_changes", of)...),
		ahead:    view[aheadRow](t, url, "trajectory", of), effects: view[effectRow](t, url, "interventions", of),
		behind: view[behindRow](t, url, "behind", of), breaks: view[breakRow](t, url, "rule_breaks", of), latest: view[gapRow](t, url, "gap_now", of),
	}
	return r
}

// everythingIsTaught fails where there is a view or a column that the attacker has not been taught.
func everythingIsTaught(t *testing.T, url string) {
	t.Helper()
	found := map[string][]string{}
	for _, c := range ask[struct{ Table, Name string }](t, url, "SELECT table, name FROM system.columns WHERE database = 'reporting'") {
		found[c.Table] = append(found[c.Table], c.Name)
	}
	for _, table := range ask[struct{ Name string }](t, url, "SELECT name FROM system.tables WHERE database = 'reporting'") {
		known, ok := taught[table.Name]
		if !ok {
			t.Errorf("the attacker does not know the view %s: teach it", table.Name)
		}
		columns := append(strings.Fields(known.about), strings.Fields(known.figures)...)
		slices.Sort(columns)
		slices.Sort(found[table.Name])
		if !slices.Equal(columns, found[table.Name]) {
			t.Errorf("the attacker knows of %s\n%v, it has\n%v", table.Name, columns, found[table.Name])
		}
	}
}

func dayOf(season, day string) int {
	d, err := calendar.Parse(day)
	if err != nil {
		panic(err)
	}
	return int(d - starts[season])
}

func count(n *uint64) (uint64, bool) {
	if n == nil {
		return 0, false
	}
	return *n, true
}

// of is the pair as a count; false where one is withheld.
func (c counted) count() (inequality.Count, bool) {
	covered, ok1 := count(c.Covered)
	eligible, ok2 := count(c.Eligible)
	if !ok1 || !ok2 {
		return inequality.Count{}, false
	}
	return inequality.Count{Covered: covered, Eligible: eligible}, true
}

// rowKey names a geography on a day.
type rowKey struct {
	level, code, fifths string
	day                 int
}

func shownOf(rows []uptakeRow, season string) map[rowKey]*[6]uptakeRow {
	all := map[rowKey]*[6]uptakeRow{}
	for _, r := range rows {
		key := rowKey{r.Level, r.Code, r.Fifths, dayOf(season, r.Day)}
		if all[key] == nil {
			all[key] = &[6]uptakeRow{}
		}
		all[key][r.Quintile] = r
	}
	return all
}

func quintilesOf(rows *[6]uptakeRow) (q inequality.Quintiles) {
	if rows != nil {
		for i := range q {
			if n, ok := rows[i+1].count(); ok {
				q[i] = n
			}
		}
	}
	return q
}

func same[T comparable](a, b *T) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

func pointer[T any](v T, ok bool) *T {
	if !ok {
		return nil
	}
	return &v
}

// measuresAreOfShownFigures computes everything that is not a count again from the counts that are shown, so that it
// says nothing that they do not say: uptake, intervals, paces, measures, people short, ranks, trajectories, effects.
func measuresAreOfShownFigures(t *testing.T, season string, vintage int, r *reading, last map[rowKey]*[6]uptakeRow) {
	t.Helper()
	wrong := 0
	expect := func(ok bool, what string, row any) {
		t.Helper()
		if wrong++; !ok && wrong < 5 {
			text, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			t.Errorf("vintage %d: %s is not of shown figures: %s", vintage, what, text)
		} else if ok {
			wrong--
		}
	}
	share := func(c counted) (e inequality.Estimate, value, interval bool) {
		n, ok := c.count()
		if !ok {
			return
		}
		if e, ok = inequality.UptakeOf(n); ok {
			return e, true, true
		}
		e.Value, ok = n.Uptake()
		return e, ok, false
	}
	shown := shownOf(r.uptake, season)
	for key, rows := range shown {
		q := quintilesOf(rows)
		m := inequality.Of(q, floor)
		target := inequality.ShortToTarget(q, 0.75, floor)
		for i, row := range rows {
			e, value, interval := share(row.counted)
			expect(same(row.Uptake, pointer(e.Value, value)) && same(row.Low, pointer(e.Low, interval)) && same(row.High, pointer(e.High, interval)), "uptake", row)
			var pace *float64
			if before := shown[rowKey{key.level, key.code, key.fifths, key.day - 7}]; before != nil && value {
				if n, ok := before[i].count(); ok {
					if was, ok := n.Uptake(); ok {
						pace = pointer(e.Value-was, true)
					}
				}
			}
			expect(same(row.Pace, pace), "pace", row)
			if i > 0 {
				expect(same(row.ShortToBest, pointer(m.Short[i-1].Get())) && same(row.ShortToTarget, pointer(target[i-1].Get())), "people short", row)
			} else {
				expect(row.ShortToBest == nil && row.ShortToTarget == nil, "people short", row)
			}
		}
	}
	for _, row := range r.gap {
		rows := shown[rowKey{row.Level, row.Code, row.Fifths, dayOf(season, row.Day)}]
		q := quintilesOf(rows)
		m := inequality.Of(q, floor)
		var missing []string
		for _, x := range []struct {
			name             string
			of               inequality.Measure
			value, low, high *float64
		}{
			{"gap", m.Gap, row.Gap, row.GapLow, row.GapHigh}, {"ratio", m.Ratio, row.Ratio, row.RatioLow, row.RatioHigh},
			{"sii", m.SII, row.SII, row.SIILow, row.SIIHigh}, {"rii", m.RII, row.RII, row.RIILow, row.RIIHigh},
			{"sii_linear", m.LinearSII, row.SIILinear, row.SIILinearLow, row.SIILinearHigh}, {"rii_linear", m.LinearRII, row.RIILinear, row.RIILinearLow, row.RIILinearHigh},
		} {
			e, ok := x.of.Get()
			expect(same(x.value, pointer(e.Value, ok)) && same(x.low, pointer(e.Low, ok)) && same(x.high, pointer(e.High, ok)), x.name, row)
			if !ok {
				missing = append(missing, x.name+": "+x.of.NotComputed().String())
			}
		}
		expect(row.NotComputed == strings.Join(missing, "\n"), "not_computed", row)
		for i, u := range []*float64{row.Uptake1, row.Uptake2, row.Uptake3, row.Uptake4, row.Uptake5} {
			expect(same(u, rows[i+1].Uptake), "uptake of a quintile", row)
		}
		sum := func(of func(uptakeRow) *uint64) *uint64 {
			var all *uint64
			for _, x := range rows[1:] {
				if n, ok := count(of(x)); ok {
					was, _ := count(all)
					all = pointer(was+n, true)
				}
			}
			return all
		}
		expect(same(row.ShortToBest, sum(func(x uptakeRow) *uint64 { return x.ShortToBest })), "short_to_best", row)
		expect(same(row.ShortToTarget, sum(func(x uptakeRow) *uint64 { return x.ShortToTarget })), "short_to_target", row)
		win, ok := m.BiggestWin.Get()
		expect(same(row.BiggestWin, pointer(uint64(win.Quintile), ok && row.Fifths == "national")), "biggest_win", row)
		ratio := func(a, b *uint64) *float64 {
			if a == nil || b == nil || *b == 0 {
				return nil
			}
			return pointer(float64(*a)/float64(*b), true)
		}
		expect(same(row.Uptake, ratio(row.Covered, row.Eligible)), "overall uptake", row)
		expect(same(row.UnknownArea, ratio(rows[0].Covered, row.Covered)), "unknown_area", row)
	}
	for _, row := range r.hoods {
		e, value, interval := share(row.counted)
		expect(same(row.Uptake, pointer(e.Value, interval)) && same(row.Low, pointer(e.Low, interval)) && same(row.High, pointer(e.High, interval)), "uptake", row)
		n, ok := row.count()
		expect(same(row.ShortToTarget, pointer(inequality.ShortTo(n, 0.75), ok)) && (value || !interval), "people short", row)
		expect(row.Pace == nil, "pace", row) // the season is shorter than four weeks
		var rank, ranked uint64
		ranks := func(x hoodRow) bool { return x.Uptake != nil && *x.Eligible >= floor }
		for _, x := range r.hoods {
			if x.Place == row.Place && x.Day == row.Day && ranks(x) && ranks(row) {
				ranked++
				if *x.Uptake < *row.Uptake {
					rank++
				}
			}
		}
		expect(same(row.Rank, pointer(rank+1, ranks(row))) && row.Ranked == ranked && row.Furthest == (ranks(row) && rank+1 <= (ranked+9)/10), "rank", row)
	}
	for _, row := range r.ethnic {
		n, ok := row.count()
		uptake, some := n.Uptake()
		expect(same(row.Uptake, pointer(uptake, ok && some)), "uptake", row)
	}
	// Trajectories and effects, by the packages that compute them, from what the view uptake shows.
	series := func(of map[rowKey]*[6]uptakeRow, season, level, code string) trajectory.Season {
		s := trajectory.Season{Start: starts[season], End: starts[season] + seasonDays - 1}
		for d := range seasonDays {
			if rows := of[rowKey{level, code, "national", d}]; rows != nil {
				s.Days = append(s.Days, trajectory.Day{Day: s.Start + calendar.Day(d), Quintiles: quintilesOf(rows)})
			}
		}
		return s
	}
	text := func(d calendar.Day, ok bool) *string { return pointer(d.String(), ok && d < calendar.Far) }
	projections := map[[2]string][5]trajectory.Projection{}
	for _, row := range r.ahead {
		of := [2]string{row.Level, row.Code}
		if _, ok := projections[of]; !ok {
			earlier := series(last, before, row.Level, row.Code)
			projections[of] = trajectory.Project(starts[season]+calendar.Day(dayOf(season, row.Day)), series(shown, season, row.Level, row.Code), &earlier, 0.75, floor)
		}
		p := projections[of][row.Quintile-1]
		ok := p.NotComputed == ""
		expect(row.Status == cmp.Or(string(p.NotComputed), string(p.Status)) && same(row.Uptake, pointer(p.Uptake, ok)) &&
			same(row.Projected, pointer(p.End.Uptake, ok)) && same(row.Low, pointer(p.End.Low, ok)) && same(row.High, pointer(p.End.High, ok)) &&
			same(row.Reached, text(p.Date, ok)) && same(row.Earliest, text(p.Earliest, ok)) && same(row.Latest, text(p.Latest, ok)) &&
			same(row.PaceNeeded, pointer(p.WeeklyPaceNeeded, ok)) && same(row.PeopleNeeded, pointer(p.PeopleNeeded, ok)), "trajectory", row)
	}
	for _, row := range r.behind {
		day := dayOf(season, row.Day)
		now, then := shown[rowKey{row.Level, row.Code, "national", day}], last[rowKey{row.Level, row.Code, "national", day}]
		n, ok := now[row.Quintile].count()
		expect(same(row.Uptake, now[row.Quintile].Uptake), "uptake", row)
		var expected, behind, needed *float64
		if then != nil && ok {
			m, _ := then[row.Quintile].count() // 0 of 0 where it is withheld, which makes no difference
			if d, ok := inequality.GapOf(inequality.Quintiles{0: n, 4: m}, floor, 4).Get(); ok {
				expected, needed = then[row.Quintile].Uptake, pointer(d.Value-d.Low, true)
				behind = pointer(*expected-*row.Uptake, true)
			}
		}
		expect(same(row.Expected, expected) && same(row.Behind, behind) && same(row.Needed, needed) && row.IsBehind == (behind != nil && *behind >= *needed), "behind", row)
	}
	for _, row := range r.latest { // the same as in the view gap, but for what is left out
		i := slices.IndexFunc(r.gap, func(g gapRow) bool {
			return g.Level == row.Level && g.Code == row.Code && g.Day == row.Day && g.Fifths == "national"
		})
		want := gapRow{}
		if i >= 0 {
			want = r.gap[i]
		}
		want.Fifths = ""
		want.SIILinear, want.SIILinearLow, want.SIILinearHigh, want.RIILinear, want.RIILinearLow, want.RIILinearHigh = nil, nil, nil, nil, nil, nil
		expect(reflect.DeepEqual(row, want), "gap_now", row)
	}
	for _, row := range r.breaks {
		rows := shown[rowKey{row.Level, row.Code, "national", dayOf(season, row.Day)}]
		i := slices.IndexFunc(r.gap, func(g gapRow) bool {
			return g.Level == row.Level && g.Code == row.Code && g.Day == row.Day && g.Fifths == "national"
		})
		figure := 0.
		if row.Rule == "unknown area above the limit" {
			figure = *r.gap[i].UnknownArea
		} else {
			for _, u := range []*float64{rows[1].Uptake, rows[2].Uptake, rows[3].Uptake, rows[4].Uptake, rows[5].Uptake, r.gap[i].Uptake} {
				if u != nil {
					figure = max(figure, *u)
				}
			}
		}
		expect(same(row.Figure, &figure), "figure that breaks a rule", row)
	}
	if len(last) > 0 && len(r.ahead) > 0 && (len(r.behind) == 0 || len(r.latest) == 0) {
		t.Errorf("vintage %d: the views behind and gap_now are empty", vintage)
	}
	for _, row := range r.effects {
		if row.Measure == "" || row.Day == nil || row.NotComputed == string(intervention.TooEarly) {
			continue
		}
		window, reason := intervention.NewWindow(starts[season]+14, calendar.Far, starts[season]+calendar.Day(dayOf(season, *row.Day)), starts[season]-1)
		if reason != "" {
			t.Fatalf("%s: %+v", reason, row)
		}
		place := func(code string) intervention.Place {
			on := func(day calendar.Day) inequality.Quintiles {
				q := quintilesOf(shown[rowKey{"place", code, "national", max(0, int(day-starts[season]))}])
				for i := range q {
					if day < starts[season] {
						q[i].Covered = 0
					}
				}
				return q
			}
			return intervention.Place{Code: code, Start: on(window.Start), Before: on(window.Before), End: on(window.End)}
		}
		var others []intervention.Place
		for i := range 6 {
			if code := fmt.Sprintf("X0700000%d", i); code != row.Code && systemOf(code) == systemOf(row.Code) {
				others = append(others, place(code))
			}
		}
		all := intervention.Estimate(window, place(row.Code), others, floor)
		e := all.Gap
		if row.Measure != "gap" {
			e = all.Pace
		}
		ok := e.NotComputed == ""
		expect(row.NotComputed == string(e.NotComputed) && same(row.Effect, pointer(e.Effect, ok)) && same(row.Low, pointer(e.Low, ok)) && same(row.High, pointer(e.High, ok)) &&
			same(row.Here, pointer(e.Here, ok)) && same(row.Elsewhere, pointer(e.Elsewhere, ok)) && same(row.Places, pointer(uint64(e.Places), true)), "effect", row)
	}
}

// watched is a country with everything that was read of it.
type watched struct {
	*country
	past  *reading
	now   []*reading
	exact [][]verdictRow // of the first vintages, verdicts with their figures, whatever stands behind them
}

// leaky is how many vintages of leaky readings are enough to see that the attack works.
const leaky = 15

func watch(t *testing.T, seed uint64) *watched {
	t.Helper()
	c := invent(seed)
	w := newRollup(t, c)
	clock := 0
	k := w.keeper(&clock)
	everythingIsTaught(t, w.url)
	all := &watched{country: c}
	for ; clock < vintages; clock++ {
		w.publish(clock)
		if _, err := k.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		all.now = append(all.now, read(t, w.url, now))
		if clock == 0 {
			all.past = read(t, w.url, before)
		}
		if clock < leaky {
			all.exact = append(all.exact, ask[verdictRow](t, w.url, `SELECT level, code, day, verdict, fifths, nullIf(against, toDate32('1970-01-01')) AS against,
				true AS figures_shown, sentence, missing, gap, change FROM prevention.judged FINAL WHERE season = 'now'`))
		}
	}
	if last := read(t, w.url, before); !slices.Equal(counts(last.uptake), counts(all.past.uptake)) {
		t.Error("the season before has changed: the attacker has missed something")
	}
	return all
}

// counts are the rows of the view uptake as text, in order.
func counts(rows []uptakeRow) (all []string) {
	for _, r := range rows {
		all = append(all, fmt.Sprint(r.Level, r.Code, r.Fifths, r.Day, r.Quintile, words(r.counted, r.Withheld)))
	}
	slices.Sort(all)
	return all
}

// asShown is a count as disclosure control shows it by itself.
func asShown(n inequality.Count) counted {
	c := disclosure.NHSEngland.Cell(n)
	shown := counted{Covered: pointer(c.Covered.Value, c.Covered.State == disclosure.Shown), Eligible: pointer(c.Eligible.Value, c.Eligible.State == disclosure.Shown)}
	if c.Covered.State != disclosure.Shown {
		shown.Withheld = c.Covered.State.String()
	}
	return shown
}

// TestAttack publishes an invented country vintage by vintage, reads all views each time, and solves for what they withhold.
func TestAttack(t *testing.T) {
	w := watch(t, 1)
	t.Run("measures are of shown figures", func(t *testing.T) {
		last := shownOf(w.past.uptake, before)
		measuresAreOfShownFigures(t, before, 0, w.past, nil)
		for v, r := range w.now {
			measuresAreOfShownFigures(t, now, v, r, last)
		}
	})
	t.Run("nothing withheld comes back", func(t *testing.T) {
		b := newAttacker(w.country, w.past, w.now)
		for _, c := range b.complaints[:min(10, len(b.complaints))] {
			t.Error(c)
		}
		r, err := b.solve(20)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d residents, %d vintages: %d figures suppressed, %d nearly all, %d shown, %d hidden, %d sums of these, %d exact for England, %d verdicts with figures; %d targets, each with %d values left or more",
			len(w.residents), len(w.now), b.suppressed, b.nearly, b.shown, b.hidden, b.sums, b.national, b.figures, len(b.targets), r.least)
		if b.suppressed == 0 || b.nearly == 0 || b.hidden == 0 || b.national == 0 || b.figures == 0 {
			t.Error("not everything is tried")
		}
		for _, x := range r.examples {
			t.Error(x)
		}
	})
	for name, leak := range map[string]func(v int, r *reading){
		"exact totals of places and systems": func(v int, r *reading) {
			truth := tally(w.country, now, func(x *resident) ([2]string, bool) { return [2]string{"place", x.place}, true })
			maps.Copy(truth, tally(w.country, now, func(x *resident) ([2]string, bool) { return [2]string{"system", x.system}, true }))
			r.gap = slices.Clone(r.gap)
			for i := range r.gap {
				if row := &r.gap[i]; truth[[2]string{row.Level, row.Code}] != nil {
					n := truth[[2]string{row.Level, row.Code}][v][dayOf(now, row.Day)]
					row.Covered, row.Eligible = &n.Covered, &n.Eligible
				}
			}
		},
		"systems in mode none": func(v int, r *reading) {
			truth := tally(w.country, now, func(x *resident) (leaf, bool) { return leaf{system: x.system, quintile: x.quintile}, true })
			r.uptake = slices.Clone(r.uptake)
			for i := range r.uptake {
				if row := &r.uptake[i]; row.Level == "system" && row.Fifths == "national" {
					if g := truth[leaf{system: row.Code, quintile: row.Quintile}]; g != nil {
						n := g[v][dayOf(now, row.Day)]
						row.counted = counted{&n.Covered, &n.Eligible, ""}
					}
				}
			}
		},
		"neighbourhoods whatever they say of their place": func(_ int, r *reading) {
			truth := tally(w.country, now, func(x *resident) ([2]string, bool) { return [2]string{x.place, x.neighbourhood}, true })
			r.hoods = slices.Clone(r.hoods)
			for i := range r.hoods {
				row := &r.hoods[i]
				d := dayOf(now, row.Day)
				row.counted = asShown(truth[[2]string{row.Place, row.Code}][d+7][d]) // as known when it was complete
			}
		},
		"figures of every verdict": func(v int, r *reading) { r.verdicts = w.exact[v] },
	} {
		t.Run("leak: "+name, func(t *testing.T) {
			var read []*reading
			for v, r := range w.now[:leaky] {
				r := *r
				leak(v, &r)
				read = append(read, &r)
			}
			b := newAttacker(w.country, w.past, read)
			r, err := b.solve(1)
			if err != nil {
				t.Fatal(err)
			}
			if r.broken == 0 {
				t.Error("nothing comes back: the attack does not see it")
			} else {
				t.Logf("%d complaints; %s", len(b.complaints), r.examples[0])
			}
		})
	}
}
