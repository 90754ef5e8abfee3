package programme_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// good is a file with one programme of each kind. Line 3 is the first programme.
const good = `imd: 2025
programmes:
  - id: flu
    name: Flu
    kind: seasonal
    event: vaccination
    target: 75
    history_from: 2023-09-01
    limits: {floor: 100, smallest_change: 1, unknown_area: 10, ceiling: 20}
    seasons:
      - {id: 2023-24, start: 2023-09-11, end: 2024-03-31}
      - {id: 2024-25, start: 2024-10-03, end: 2025-03-31}
    eligible: People aged 65 or over
    source: A letter
  - id: mmr
    name: MMR
    kind: cohort
    event: vaccination
    doses: 2
    min_interval: 28
    target: 95.5
    history_from: "2023-04-01"
    limits: {floor: 50, smallest_change: 0.5, unknown_area: 10, ceiling: 20, behind: 2.5}
    seasons:
      - {id: 2023-24, start: 2023-04-01, end: 2024-03-31}
      - {id: 2023-24b, start: 2023-04-01, end: 2025-03-31}
    eligible: Children
    source: A schedule
  - id: bp
    name: Blood pressure
    kind: rolling
    event: health-check
    validity: 12
    target: 0
    history_from: 2023-04-01
    limits: {floor: 100, smallest_change: 1, unknown_area: 10, ceiling: 20}
    eligible: People
    source: A guideline
`

func TestParse(t *testing.T) {
	set, err := programme.Parse("p.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if set.Edition != 2025 || len(set.Programmes) != 3 {
		t.Fatalf("%+v", set)
	}
	flu, ok := set.Get("flu")
	if !ok || flu.Kind != programme.Seasonal || flu.EventType != programme.TypeVaccination || flu.Doses != 1 || flu.Target != 75 ||
		flu.Name != "Flu" || flu.Eligible != "People aged 65 or over" || flu.Source != "A letter" ||
		flu.Limits != (programme.Limits{Floor: 100, SmallestChange: 1, UnknownArea: 10, Ceiling: 20, Behind: 5}) {
		t.Errorf("%+v", flu)
	}
	mmr, _ := set.Get("mmr")
	if mmr.Limits.Behind != 2.5 || mmr.Doses != 2 || mmr.MinInterval != 28 || mmr.Target != 95.5 || mmr.HistoryFrom != calendar.Date(2023, 4, 1) || len(mmr.Seasons) != 2 {
		t.Errorf("%+v", mmr)
	}
	bp, _ := set.Get("bp")
	if bp.Validity != 12 || bp.EventType != programme.TypeHealthCheck || len(bp.Seasons) != 0 {
		t.Errorf("%+v", bp)
	}
	if _, ok := set.Get("other"); ok {
		t.Error("found a programme that is not there")
	}
}

func TestSeasonOn(t *testing.T) {
	set, err := programme.Parse("p.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	flu, _ := set.Get("flu")
	for day, want := range map[string]string{
		"2023-09-10": "", "2023-09-11": "2023-24", "2024-03-31": "2023-24", "2024-04-01": "", "2024-10-02": "", "2024-10-03": "2024-25", "2025-04-01": "",
	} {
		d, err := calendar.Parse(day)
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := flu.SeasonOn(d); s.ID != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", day, s.ID, ok)
		}
	}
	bp, _ := set.Get("bp")
	if s, ok := bp.SeasonOn(calendar.Date(1950, 1, 1)); !ok || s.ID != programme.RollingSeason || s.Start != bp.HistoryFrom {
		t.Errorf("%+v, %v", s, ok)
	}
	if _, ok := bp.Season("2024-25"); ok {
		t.Error("a rolling programme has a season")
	}
	if s, ok := flu.Season("2024-25"); !ok || s.End != calendar.Date(2025, 3, 31) {
		t.Errorf("%+v, %v", s, ok)
	}
}

// One thing wrong at a time: the error names file, line, field and rule.
func TestParseRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		old, new string
		want     string // every error, as lines
	}{
		"no edition":              {"imd: 2025\n", "", "p.yaml:1: imd: is missing"},
		"unknown edition":         {"imd: 2025", "imd: 2015", "p.yaml:1: imd: must be a whole number from 2019 to 2025"},
		"edition between":         {"imd: 2025", "imd: 2020", "p.yaml:1: imd: must be 2019 or 2025, the editions of the Index of Multiple Deprivation that are loaded"},
		"unknown key":             {"    name: Flu\n", "    name: Flu\n    colour: red\n", "p.yaml:5: programmes[0].colour: unknown key; known are id, name, kind, event, doses, min_interval, validity, target, history_from, retention, limits, seasons, eligible, source"},
		"unknown key at the top":  {"imd: 2025", "imd: 2025\nversion: 1", "p.yaml:2: version: unknown key; known are imd, programmes"},
		"mistyped key":            {"    target: 75", "    targt: 75", "p.yaml:3: flu.target: is missing\np.yaml:7: programmes[0].targt: unknown key; known are id, name, kind, event, doses, min_interval, validity, target, history_from, retention, limits, seasons, eligible, source"},
		"key twice":               {"    name: Flu\n", "    name: Flu\n    name: Flu\n", "p.yaml:5: programmes[0].name: is given twice"},
		"no name":                 {"    name: Flu\n", "", "p.yaml:3: flu.name: is missing"},
		"empty name":              {"name: Flu\n", "name:\n", "p.yaml:4: flu.name: must not be empty, a list or a mapping"},
		"blank name":              {"name: Flu\n", "name: '  '\n", "p.yaml:4: flu.name: must not be empty, a list or a mapping"},
		"name is a list":          {"name: Flu\n", "name: [Flu]\n", "p.yaml:4: flu.name: must not be empty, a list or a mapping"},
		"name is a number":        {"name: Flu\n", "name: 65\n", "p.yaml:4: flu.name: must be text"},
		"no eligible":             {"    eligible: People aged 65 or over\n", "", "p.yaml:3: flu.eligible: is missing"},
		"no source":               {"    source: A letter\n", "", "p.yaml:3: flu.source: is missing"},
		"no id":                   {"  - id: flu\n    name", "  - name", "p.yaml:3: programmes[0].id: is missing"},
		"id in capitals":          {"id: flu", "id: Flu", "p.yaml:3: programmes[0].id: must match ^[a-z0-9][a-z0-9-]*$ and have at most 64 characters"},
		"id with a dot":           {"id: flu", "id: flu.65", "p.yaml:3: programmes[0].id: must match ^[a-z0-9][a-z0-9-]*$ and have at most 64 characters"},
		"id too long":             {"id: flu", "id: " + strings.Repeat("f", 65), "p.yaml:3: programmes[0].id: must match ^[a-z0-9][a-z0-9-]*$ and have at most 64 characters"},
		"id used twice":           {"id: mmr", "id: flu", "p.yaml:15: flu.id: is used before, on line 3"},
		"unknown kind":            {"kind: seasonal", "kind: yearly", "p.yaml:5: flu.kind: must be one of seasonal, rolling, cohort"},
		"unknown event":           {"event: health-check", "event: screening", "p.yaml:32: bp.event: must be one of vaccination, health-check"},
		"target above 100":        {"target: 75", "target: 101", "p.yaml:7: flu.target: must be a number from 0 to 100"},
		"target below 0":          {"target: 75", "target: -1", "p.yaml:7: flu.target: must be a number from 0 to 100"},
		"target not a number":     {"target: 75", "target: 75%", "p.yaml:7: flu.target: must be a number from 0 to 100"},
		"target as text":          {"target: 75", `target: "75"`, "p.yaml:7: flu.target: must be a number from 0 to 100"},
		"target nan":              {"target: 75", "target: .nan", "p.yaml:7: flu.target: must be a number from 0 to 100"},
		"history not a date":      {"history_from: 2023-09-01", "history_from: 1 September 2023", "p.yaml:8: flu.history_from: must be a date (YYYY-MM-DD) from 1970-01-01 to 2299-12-31"},
		"history does not exist":  {"history_from: 2023-09-01", "history_from: 2023-09-31", "p.yaml:8: flu.history_from: must be a date (YYYY-MM-DD) from 1970-01-01 to 2299-12-31"},
		"history before 1970":     {"history_from: 2023-09-01", "history_from: 1969-12-31", "p.yaml:8: flu.history_from: must be a date (YYYY-MM-DD) from 1970-01-01 to 2299-12-31"},
		"no limits":               {"    limits: {floor: 100, smallest_change: 1, unknown_area: 10, ceiling: 20}\n    seasons", "    seasons", "p.yaml:3: flu.limits: is missing"},
		"a limit missing":         {"floor: 50, ", "", "p.yaml:23: mmr.limits.floor: is missing"},
		"a limit unknown":         {"floor: 50, ", "floor: 50, roof: 1, ", "p.yaml:23: mmr.limits.roof: unknown key; known are floor, smallest_change, unknown_area, ceiling, behind"},
		"floor nought":            {"floor: 50", "floor: 0", "p.yaml:23: mmr.limits.floor: must be a whole number from 1 to 1000000"},
		"floor with decimals":     {"floor: 50", "floor: 50.5", "p.yaml:23: mmr.limits.floor: must be a whole number from 1 to 1000000"},
		"change above 100":        {"smallest_change: 0.5", "smallest_change: 100.1", "p.yaml:23: mmr.limits.smallest_change: must be a number from 0 to 100"},
		"behind below 0":          {"behind: 2.5", "behind: -1", "p.yaml:23: mmr.limits.behind: must be a number from 0 to 100"},
		"limits a list":           {"{floor: 50, smallest_change: 0.5, unknown_area: 10, ceiling: 20, behind: 2.5}", "[50]", "p.yaml:23: mmr.limits: must be a mapping with the keys floor, smallest_change, unknown_area, ceiling, behind"},
		"doses nought":            {"doses: 2", "doses: 0", "p.yaml:19: mmr.doses: must be a whole number from 1 to 9\np.yaml:20: mmr.min_interval: not allowed: belongs to programmes of more than one dose"},
		"doses ten":               {"doses: 2", "doses: 10", "p.yaml:19: mmr.doses: must be a whole number from 1 to 9\np.yaml:20: mmr.min_interval: not allowed: belongs to programmes of more than one dose"},
		"doses without interval":  {"    min_interval: 28\n", "", "p.yaml:15: mmr.min_interval: is missing"},
		"interval without doses":  {"    doses: 2\n", "", "p.yaml:19: mmr.min_interval: not allowed: belongs to programmes of more than one dose"},
		"interval below 0":        {"min_interval: 28", "min_interval: -1", "p.yaml:20: mmr.min_interval: must be a whole number from 0 to 3660"},
		"doses of a check":        {"    validity: 12", "    validity: 12\n    doses: 2\n    min_interval: 1", "p.yaml:34: bp.doses: must be 1 for rolling programmes and health checks"},
		"validity on a season":    {"event: vaccination\n    target", "event: vaccination\n    validity: 12\n    target", "p.yaml:7: flu.validity: not allowed: belongs to rolling programmes: a seasonal one covers until its season ends"},
		"validity on a cohort":    {"    doses: 2", "    validity: 12\n    doses: 2", "p.yaml:19: mmr.validity: not allowed: belongs to rolling programmes: a cohort one covers until its season ends"},
		"no validity":             {"    validity: 12\n", "", "p.yaml:29: bp.validity: is missing"},
		"validity nought":         {"validity: 12", "validity: 0", "p.yaml:33: bp.validity: must be a whole number from 1 to 1200"},
		"rolling with seasons":    {"    validity: 12", "    validity: 12\n    seasons: []", "p.yaml:34: bp.seasons: not allowed: a rolling programme has none"},
		"seasons empty":           {"    eligible: Children\n", "    eligible: Children\n    seasons: []\n", "p.yaml:28: programmes[1].seasons: is given twice"},
		"season without id":       {"{id: 2024-25, start", "{start", "p.yaml:12: flu.seasons[1].id: is missing"},
		"season id twice":         {"id: 2024-25", "id: 2023-24", `p.yaml:12: flu.seasons[1].id: is used before or is the reserved "rolling"`},
		"season id reserved":      {"id: 2024-25", "id: rolling", `p.yaml:12: flu.seasons[1].id: is used before or is the reserved "rolling"`},
		"season id with a slash":  {"id: 2024-25", "id: 2024/25", "p.yaml:12: flu.seasons[1].id: must match ^[a-z0-9][a-z0-9-]*$ and have at most 64 characters"},
		"season bad date":         {"start: 2024-10-03", "start: 03/10/2024", "p.yaml:12: flu.seasons[1].start: must be a date (YYYY-MM-DD) from 1970-01-01 to 2299-12-31"},
		"season ends first":       {"end: 2025-03-31}\n    eligible: People", "end: 2024-10-02}\n    eligible: People", "p.yaml:12: flu.seasons[1].end: is before start"},
		"seasons touch":           {"start: 2024-10-03", "start: 2024-03-31", "p.yaml:12: flu.seasons[1].start: must be after the end of the season before (2024-03-31): seasons are in order of time and never overlap"},
		"seasons out of order":    {"{id: 2024-25, start: 2024-10-03, end: 2025-03-31}", "{id: 2022-23, start: 2022-10-03, end: 2023-03-31}", "p.yaml:12: flu.seasons[1].start: must be after the end of the season before (2024-03-31): seasons are in order of time and never overlap"},
		"cohorts out of order":    {"{id: 2023-24b, start: 2023-04-01", "{id: 2023-24b, start: 2022-04-01", "p.yaml:26: mmr.seasons[1].start: is before the start of the season before: seasons are in order of time"},
		"season unknown key":      {"{id: 2024-25, ", "{id: 2024-25, name: x, ", "p.yaml:12: flu.seasons[1].name: unknown key; known are id, start, end"},
		"season not a mapping":    {"{id: 2024-25, start: 2024-10-03, end: 2025-03-31}", "2024-25", "p.yaml:12: flu.seasons[1]: must be a mapping with the keys id, start, end"},
		"programme not a mapping": {"  - id: flu\n    name: Flu\n", "  - flu\n  - id: flu\n    name: Flu\n", "p.yaml:3: programmes[0]: must be a mapping with the keys id, name, kind, event, doses, min_interval, validity, target, history_from, retention, limits, seasons, eligible, source"},
		"several at once": {"    name: Flu\n    kind: seasonal", "    kind: seasonal\n    validity: x\n    doses: 0",
			"p.yaml:3: flu.name: is missing\np.yaml:5: flu.validity: not allowed: belongs to rolling programmes: a seasonal one covers until its season ends\np.yaml:6: flu.doses: must be a whole number from 1 to 9"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Count(good, test.old) < 1 {
				t.Fatalf("%q is not in the file", test.old)
			}
			set, err := programme.Parse("p.yaml", []byte(strings.Replace(good, test.old, test.new, 1)))
			if err == nil || set != nil {
				t.Fatal("accepted")
			}
			if err.Error() != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", err, test.want)
			}
		})
	}
}

func TestParseRefusesFiles(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "p.yaml:1: file: must be one YAML document",
		"# only a comment\n":            "p.yaml:1: file: must be one YAML document",
		"- 1\n":                         "p.yaml:1: file: must be a mapping with the keys imd, programmes",
		"imd: 2025\nprogrammes: []\n":   "p.yaml:2: programmes: must be a list of at least one",
		"imd: 2025\nprogrammes: flu\n":  "p.yaml:2: programmes: must be a list of at least one",
		"imd: 2025\nprogrammes: {a: 1}": "p.yaml:2: programmes: must be a list of at least one",
		"imd: 2025\n  programmes:\n\t[": "p.yaml:",
		good + "---\n" + good:           "p.yaml:1: file: must be one YAML document",
		"\x00":                          "p.yaml:1: file: must be one YAML document",
	} {
		set, err := programme.Parse("p.yaml", []byte(text))
		if err == nil || set != nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAnchorsMayBeUsed(t *testing.T) {
	text := strings.Replace(good, "limits: {floor: 100", "limits: &limits {floor: 100", 1)
	text = strings.Replace(text, "limits: {floor: 50, smallest_change: 0.5, unknown_area: 10, ceiling: 20, behind: 2.5}", "limits: *limits", 1)
	set, err := programme.Parse("p.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if mmr, _ := set.Get("mmr"); mmr.Limits.Floor != 100 {
		t.Errorf("%+v", mmr.Limits)
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := programme.Load(file)
	if err != nil || len(set.Programmes) != 3 {
		t.Errorf("%+v, %v", set, err)
	}
	if _, err := programme.Load(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("loaded a file that is not there")
	}
}

// The programmes that come with Gapwatch, as far as their facts are published.
func TestEmbeddedProgrammes(t *testing.T) {
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	if set.Edition != 2025 {
		t.Errorf("edition %d", set.Edition)
	}
	for id, want := range map[string]struct {
		kind     programme.Kind
		typ      string
		doses    int
		interval int
		validity int
		target   float64
	}{
		"flu-65":           {programme.Seasonal, programme.TypeVaccination, 1, 0, 0, 75},
		"covid-autumn":     {programme.Seasonal, programme.TypeVaccination, 1, 0, 0, 70},
		"mmr-2":            {programme.Cohort, programme.TypeVaccination, 2, 28, 0, 95},
		"nhs-health-check": {programme.Rolling, programme.TypeHealthCheck, 1, 0, 60, 75},
		"smi-health-check": {programme.Rolling, programme.TypeHealthCheck, 1, 0, 12, 75},
		"ld-health-check":  {programme.Rolling, programme.TypeHealthCheck, 1, 0, 12, 75},
		"bp-check":         {programme.Rolling, programme.TypeHealthCheck, 1, 0, 12, 90},
	} {
		p, ok := set.Get(id)
		if !ok {
			t.Errorf("no %s", id)
			continue
		}
		if p.Kind != want.kind || p.EventType != want.typ || p.Doses != want.doses || p.MinInterval != want.interval || p.Validity != want.validity || p.Target != want.target {
			t.Errorf("%s: %+v", id, p)
		}
		if p.Kind != programme.Rolling {
			for i, season := range []string{"2022-23", "2023-24", "2024-25", "2025-26", "2026-27"} {
				if p.Seasons[i].ID != season || p.HistoryFrom > p.Seasons[0].Start {
					t.Errorf("%s: %+v", id, p.Seasons[i])
				}
			}
		}
	}
	flu, _ := set.Get("flu-65")
	for season, start := range map[string]calendar.Day{"2023-24": calendar.Date(2023, 9, 11), "2024-25": calendar.Date(2024, 10, 3)} {
		if s, _ := flu.Season(season); s.Start != start {
			t.Errorf("flu-65 %s starts on %s", season, s.Start)
		}
	}
}
