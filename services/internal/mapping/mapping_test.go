package mapping_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"gapwatch/schemas"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/mapping"
	"gapwatch/services/internal/programme"
)

func programmes(t testing.TB) *programme.Set {
	t.Helper()
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func load(t testing.TB) *mapping.Tables {
	t.Helper()
	tables, err := mapping.Load("", programmes(t))
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func day(t testing.TB, text string) calendar.Day {
	t.Helper()
	d, err := calendar.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// kindOf finds the kind by a procedure or check code.
func kindOf(t testing.TB, tables *mapping.Tables, code string) mapping.Kind {
	t.Helper()
	if k, _, known := tables.Procedure(mapping.SNOMED, code); known {
		return k
	}
	for _, system := range []string{mapping.SNOMED, mapping.LOINC} {
		if k, known := tables.Check(system, code); known {
			return k
		}
	}
	t.Fatalf("no kind has the code %s", code)
	return 0
}

const (
	fluCode   = "822851000000102"
	covidCode = "1324681000000101"
	mmrCode   = "38598009"
	mmrvCode  = "432636005"
	hpvCode   = "761841000"
	nhsCode   = "523221000000100"
	bpCode    = "85354-9"
)

func TestFind(t *testing.T) {
	tables := load(t)
	for _, c := range []struct {
		title, code, on, born string
		cohort                string
		want                  string // programme and cohort, or the answer
	}{
		{"65 on 31 March of the season", fluCode, "2026-10-20", "1962-03-31", "", "flu-65"},
		{"65 the day after", fluCode, "2026-10-20", "1962-04-01", "", "outside"},
		{"still 64 when vaccinated, 65 in March", fluCode, "2026-10-01", "1962-01-15", "", "flu-65"},
		{"the season of the day decides: one earlier", fluCode, "2025-10-20", "1962-01-15", "", "outside"},
		{"in spring the season's March is this year's", fluCode, "2026-03-31", "1961-03-31", "", "flu-65"},
		{"a day too young in the same spring", fluCode, "2026-03-31", "1961-04-01", "", "outside"},
		{"born on 29 February, 65 in a year without: by March", fluCode, "2024-10-20", "1960-02-29", "", "flu-65"},
		{"a hundred years old", fluCode, "2026-10-20", "1926-10-20", "", "flu-65"},
		{"before the season", fluCode, "2026-09-30", "1950-01-01", "", "no season"},
		{"after the season", fluCode, "2026-04-01", "1950-01-01", "", "no season"},
		{"birth date not known", fluCode, "2026-10-20", "", "", "needs birth"},
		{"out of season it is not needed", fluCode, "2026-09-30", "", "", "no season"},
		{"the year is enough", fluCode, "2026-10-20", "1961", "", "flu-65"},
		{"the year is not enough", fluCode, "2026-10-20", "1962", "", "needs birth"},
		{"the year is enough to say no", fluCode, "2026-10-20", "1963", "", "outside"},
		{"the month is enough", fluCode, "2026-10-20", "1962-03", "", "flu-65"},
		{"the month says no", fluCode, "2026-10-20", "1962-04", "", "outside"},

		{"covid 2022: 50", covidCode, "2022-10-20", "1973-03-31", "", "covid-autumn"},
		{"covid 2022: 49", covidCode, "2022-10-20", "1973-04-01", "", "outside"},
		{"covid 2023: 50 no longer", covidCode, "2023-10-20", "1973-03-31", "", "outside"},
		{"covid 2024: 65", covidCode, "2024-10-20", "1960-03-31", "", "covid-autumn"},
		{"covid 2025: 75 on 31 January", covidCode, "2025-10-20", "1951-01-31", "", "covid-autumn"},
		{"covid 2025: 75 on 1 February", covidCode, "2025-10-20", "1951-02-01", "", "outside"},
		{"covid in spring", covidCode, "2026-04-20", "1940-01-01", "", "no season"},

		{"five in the financial year", mmrCode, "2025-01-10", "2021-04-01", "", "mmr-2 2026-27"},
		{"five on its last day", mmrCode, "2025-01-10", "2022-03-31", "", "mmr-2 2026-27"},
		{"five the day before it", mmrCode, "2025-01-10", "2021-03-31", "", "mmr-2 2025-26"},
		{"five the day after: no such cohort is listed", mmrCode, "2025-01-10", "2022-04-01", "", "no season"},
		{"born on 29 February 2020, five on 1 March 2025", mmrCode, "2025-01-10", "2020-02-29", "", "mmr-2 2024-25"},
		{"grown up", mmrCode, "2025-01-10", "1990-05-05", "", "no season"},
		{"MMRV counts as MMR", mmrvCode, "2026-02-10", "2021-06-10", "", "mmr-2 2026-27"},
		{"the sender says the cohort", mmrCode, "2025-01-10", "", "2026-27", "mmr-2 2026-27"},
		{"both say it", mmrCode, "2025-01-10", "2021-06-10", "2026-27", "mmr-2 2026-27"},
		{"they disagree", mmrCode, "2025-01-10", "2021-06-10", "2025-26", "other cohort"},
		{"the cohort is not listed", mmrCode, "2025-01-10", "2012-06-10", "2017-18", "no season"},
		{"nobody says it", mmrCode, "2025-01-10", "", "", "needs birth"},
		{"the year of birth lies in two cohorts", mmrCode, "2025-01-10", "2021", "", "needs birth"},
		{"and the sender says which", mmrCode, "2025-01-10", "2021", "2026-27", "mmr-2 2026-27"},
		{"and the sender says another", mmrCode, "2025-01-10", "2021", "2024-25", "other cohort"},
		{"and the sender says one that is not listed", mmrCode, "2025-01-10", "2021", "2017-18", "no season"},
		{"the month lies in one", mmrCode, "2025-01-10", "2021-04", "", "mmr-2 2026-27"},

		{"NHS Health Check at 40", nhsCode, "2026-05-05", "1986-05-05", "", "nhs-health-check"},
		{"the day before", nhsCode, "2026-05-04", "1986-05-05", "", "outside"},
		{"on the last day of being 74", nhsCode, "2026-05-04", "1951-05-05", "", "nhs-health-check"},
		{"on the 75th birthday", nhsCode, "2026-05-05", "1951-05-05", "", "outside"},
		{"born on 29 February, 40 on 1 March", nhsCode, "2025-02-28", "1985-02-28", "", "nhs-health-check"},
		{"leap day, a day before", nhsCode, "2022-02-28", "1980-02-29", "", "nhs-health-check"},
		{"leap day, 75 on 1 March", nhsCode, "2023-02-28", "1948-02-29", "", "nhs-health-check"},
		{"leap day, on 1 March", nhsCode, "2023-03-01", "1948-02-29", "", "outside"},
		{"year of birth, all of it within", nhsCode, "2026-05-05", "1985", "", "nhs-health-check"},
		{"year of birth, part of it within", nhsCode, "2026-05-05", "1986", "", "needs birth"},
		{"year of birth, the upper end", nhsCode, "2026-05-05", "1951", "", "needs birth"},
		{"year of birth, too old", nhsCode, "2026-05-05", "1950", "", "outside"},
		{"any day of a rolling programme", bpCode, "1990-05-05", "1960-01-01", "", "bp-check"},
		{"blood pressure at 17", bpCode, "2026-05-04", "2008-05-05", "", "outside"},

		{"no programme", hpvCode, "2026-05-05", "2012-05-05", "", "not watched"},
	} {
		done := mapping.Done{Day: day(t, c.on), Cohort: c.cohort}
		if c.born != "" {
			var ok bool
			if done.Birth, ok = mapping.ParseBirth(c.born); !ok {
				t.Fatal(c.born)
			}
		}
		m, answer := tables.Find(kindOf(t, tables, c.code), done)
		got := map[mapping.Answer]string{mapping.NotWatched: "not watched", mapping.NoSeason: "no season", mapping.Outside: "outside",
			mapping.NeedsBirth: "needs birth", mapping.NeedsDose: "needs dose", mapping.OtherCohort: "other cohort"}[answer]
		if answer == mapping.Found {
			got = strings.TrimSpace(m.Programme.ID + " " + m.Cohort)
		}
		if got != c.want {
			t.Errorf("%s: %s on %s, born %q: %s, want %s", c.title, c.code, c.on, c.born, got, c.want)
		}
	}
}

// An age is right on every day, by counting birthdays one by one.
func TestAgesByCounting(t *testing.T) {
	tables := load(t)
	k := kindOf(t, tables, nhsCode)
	for _, born := range []string{"1980-02-28", "1980-02-29", "1980-03-01", "1979-12-31", "1980-01-01"} {
		b := day(t, born)
		age, next := 0, b.AddMonths(12)
		for on := b; on < day(t, "2060-01-01"); on++ {
			for on >= next {
				age++
				next = b.AddMonths(12 * (age + 1))
			}
			_, answer := tables.Find(k, mapping.Done{Day: on, Birth: mapping.Born(b)})
			if (answer == mapping.Found) != (age >= 40 && age <= 74) {
				t.Fatalf("born %s: on %s at %d: %v", born, on, age, answer)
			}
		}
	}
}

func TestParseBirth(t *testing.T) {
	for text, want := range map[string]bool{
		"1960-02-29": true, "1961-02-29": false, "1960-02": true, "1960": true, "1960-13": false, "1960-00": false, "1960-1-1": false,
		"1899-12-31": false, "1899": false, "1960-04-31": false, "1960-04-00": false, "19600401": false, "1960-04-01T00:00:00Z": false,
		"": false, "196": false, "1960/04/01": false, "1960-04/01": false, "+960": false, "1960-+4": false, "1960-04-+1": false,
	} {
		if _, ok := mapping.ParseBirth(text); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}

// The doses that procedures say, and what is no code of ours.
func TestCodes(t *testing.T) {
	tables := load(t)
	for code, want := range map[string]uint8{"308081000000105": 1, "170433008": 2, "38598009": 0, "1324691000000104": 2} {
		if _, dose, known := tables.Procedure(mapping.SNOMED, code); !known || dose != want {
			t.Errorf("%s: dose %d, known %v", code, dose, known)
		}
	}
	if _, _, known := tables.Procedure(mapping.LOINC, fluCode); known {
		t.Error("a code of another system is taken")
	}
	if _, known := tables.Product(mapping.LOINC, "39566211000001103"); known {
		t.Error("a product of another system is taken")
	}
	if _, known := tables.Check("urn:other", bpCode); known {
		t.Error("a check of another system is taken")
	}
	if k, known := tables.Product(mapping.SNOMED, "39566211000001103"); !known || tables.Name(k) != "flu" {
		t.Error("Supemtek is a flu vaccine")
	}
}

// The table of diseases says what the NHS's own says, for every vaccine that it knows.
func TestDiseasesAgreeWithTheNHS(t *testing.T) {
	root := os.Getenv("GAPWATCH_REAL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	data, err := os.ReadFile(filepath.Join(root, "events/nhs_batch/disease_mapping.json"))
	if err != nil {
		t.Skipf("the real data is not there: %v", err)
	}
	var theirs []struct {
		VaccType string `json:"vacc_type"`
		Diseases []struct{ Code string }
	}
	if err := json.Unmarshal(data, &theirs); err != nil || len(theirs) < 10 {
		t.Fatal(len(theirs), err)
	}
	tables := load(t)
	for _, v := range theirs {
		var set uint64
		for _, d := range v.Diseases {
			bit, known := tables.Disease(d.Code)
			if !known {
				t.Errorf("%s: disease %s is not known", v.VaccType, d.Code)
			}
			set |= bit
		}
		k, known := tables.Vaccine(set)
		if !known || tables.Name(k) != strings.ToLower(v.VaccType) {
			t.Errorf("%s: %v", v.VaccType, known)
		}
	}
	if _, known := tables.Vaccine(0); known {
		t.Error("a vaccine against nothing")
	}
}

// The embedded tables lead to each programme that they can, and say of which they do not.
func TestNotes(t *testing.T) {
	notes := load(t).Notes()
	want := []string{
		"schemas/mapping/programmes.csv: no code leads to the programme smi-health-check: only records that name it count",
		"schemas/mapping/programmes.csv: no code leads to the programme ld-health-check: only records that name it count",
	}
	if !slices.Equal(notes, want) {
		t.Errorf("%s", strings.Join(notes, "\n"))
	}
}

// A deployment with fewer programmes and seasons uses the same tables.
func TestFewerProgrammes(t *testing.T) {
	set := programmes(t)
	flu, _ := set.Get("flu-65")
	covid, _ := set.Get("covid-autumn")
	less := *covid
	less.Seasons = less.Seasons[3:]
	tables, err := mapping.Load("", programme.NewSet(2025, flu, &less))
	if err != nil {
		t.Fatal(err)
	}
	if m, answer := tables.Find(kindOf(t, tables, fluCode), mapping.Done{Day: day(t, "2026-10-20"), Birth: mapping.Born(0)}); answer != mapping.Outside || m.Programme != nil {
		t.Error(answer)
	}
	if _, answer := tables.Find(kindOf(t, tables, mmrCode), mapping.Done{Day: day(t, "2026-10-20"), Birth: mapping.Born(0)}); answer != mapping.NotWatched {
		t.Error(answer)
	}
	if _, answer := tables.Find(kindOf(t, tables, covidCode), mapping.Done{Day: day(t, "2022-10-20"), Birth: mapping.Born(0)}); answer != mapping.NoSeason {
		t.Error(answer)
	}
	if notes := strings.Join(tables.Notes(), "\n"); strings.Count(notes, "programmes.yaml has no programme of this id") != 4 ||
		!strings.Contains(notes, "row 3: programmes.yaml has no season 2022-23 of this programme") {
		t.Error(notes)
	}
}

// files is the embedded tables with changes.
func files(t testing.TB, change map[string]func(string) string) fstest.MapFS {
	t.Helper()
	made := fstest.MapFS{}
	names, err := fs.Glob(schemas.Files, "mapping/*.csv")
	if err != nil || len(names) != 5 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data, err := schemas.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		short := filepath.Base(name)
		if f := change[short]; f != nil {
			data = []byte(f(string(data)))
		}
		made[short] = &fstest.MapFile{Data: data}
	}
	return made
}

func swap(old, by string) func(string) string {
	return func(text string) string { return strings.Replace(text, old, by, 1) }
}

func add(row string) func(string) string {
	return func(text string) string { return text + row + "\n" }
}

// One wrong cell at a time: the error names file, row, column and rule.
func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct {
		title, file string
		change      func(string) string
		want        string
	}{
		{"a code rounded by a spreadsheet", "procedures.csv", swap("sct:1324681000000101", "sct:1324681000000100"),
			"m/procedures.csv: row 27, column code: must be sct: and a SNOMED CT concept (its check digit is wrong: mistyped, or rounded by a spreadsheet?)"},
		{"a code without its system", "procedures.csv", swap("sct:822851000000102", "822851000000102"), "m/procedures.csv: row 2, column code: must be sct: and a SNOMED CT concept"},
		{"a description instead of a concept", "procedures.csv", swap("sct:822851000000102", "sct:754731000000116"),
			"m/procedures.csv: row 2, column code: must be sct: and a SNOMED CT concept (its check digit is wrong: mistyped, or rounded by a spreadsheet?)"},
		{"LOINC where there is none", "procedures.csv", swap("sct:822851000000102", "loinc:85354-9"), "m/procedures.csv: row 2, column code: must be sct: and a SNOMED CT concept"},
		{"a code twice", "procedures.csv", add("sct:822851000000102,covid,,x,y"), "m/procedures.csv: row 51, column code: is in the table before"},
		{"a dose of ten", "procedures.csv", swap("flu,1,", "flu,10,"), "m/procedures.csv: row 5, column dose: must be a whole number from 1 to 9, or empty"},
		{"no vaccine", "procedures.csv", swap("sct:822851000000102,flu", "sct:822851000000102,"), "m/procedures.csv: row 2, column vaccine: must match ^[a-z0-9][a-z0-9-]*$ and have at most 64 characters"},
		{"no source", "products.csv", add("sct:42985911000001104,flu,A vaccine,"), "m/products.csv: row 8, column source: must not be empty: it says to people what the row is and where it is from"},
		{"a column of its own", "products.csv", swap("term", "note"), "m/products.csv: row 1, column 3: unknown column; known are code, vaccine, term, source (separated by commas)\nm/products.csv: row 1, column term: is missing"},
		{"semicolons", "products.csv", func(s string) string { return strings.ReplaceAll(s, ",", ";") }, "m/products.csv: row 1, column 1: unknown column; known are code, vaccine, term, source (separated by commas)\n" +
			"m/products.csv: row 1, column code: is missing\nm/products.csv: row 1, column vaccine: is missing\nm/products.csv: row 1, column term: is missing\nm/products.csv: row 1, column source: is missing"},
		{"a cell too few", "products.csv", add("sct:42985911000001104,flu"), "m/products.csv: row 8: must have 4 cells, as the header has"},
		{"a quote not closed", "products.csv", add("\"sct:42985911000001104,flu"), "m/products.csv: row 8: must be CSV (RFC 4180): extraneous or missing \" in quoted-field"},
		{"no header", "products.csv", func(string) string { return "" }, "m/products.csv: row 1: must be the header, with the columns code, vaccine, term, source"},
		{"the same diseases for two vaccines", "diseases.csv", add("other,sct:36653000 sct:14189004 sct:36989005,x,y"), "m/diseases.csv: row 21, column diseases: are in the table before"},
		{"a disease twice in a set", "diseases.csv", swap("sct:6142004,", "sct:6142004 sct:6142004,"), "m/diseases.csv: row 2, column diseases: holds a disease twice"},
		{"no disease", "diseases.csv", swap("sct:6142004,", ","), "m/diseases.csv: row 2, column diseases: must not be empty: it says to people what the row is and where it is from"},
		{"a LOINC code mistyped", "checks.csv", swap("85354-9", "85354-8"), "m/checks.csv: row 2, column code: must be sct: and a SNOMED CT concept, or loinc: and a LOINC code (its check digit is wrong: mistyped, or rounded by a spreadsheet?)"},
		{"a check that is a vaccine", "checks.csv", add("sct:171222001,flu,x,y"), "m/checks.csv: row 11, column check: is a vaccine in one table and a check in another"},
		{"a kind that no code leads to", "programmes.csv", swap("flu-65,flu,", "flu-65,influenza,"), "m/programmes.csv: row 2, column given: is in no other table: no code leads to it"},
		{"an age that is none", "programmes.csv", swap(",65,,", ",65+,,"), "m/programmes.csv: row 2, column age_from: must be a whole number from 0 to 130, or empty"},
		{"ages the wrong way round", "programmes.csv", swap("40,74", "74,40"), "m/programmes.csv: row 8, column age_to: must not be less than age_from"},
		{"an age without a day", "programmes.csv", swap("65,,31 March of the season", "65,,"), "m/programmes.csv: row 2, column age_on: must say on which day the age is meant: event, or a day such as 31 March of the season"},
		{"a day without an age", "programmes.csv", swap(",,,,,birthday 5", ",,,,event,birthday 5"), "m/programmes.csv: row 6, column age_on: must be empty where there is no age"},
		{"a day that a spreadsheet has rewritten", "programmes.csv", swap("31 March of the season", "31-Mar"), "m/programmes.csv: row 2, column age_on: must be event, or a day such as 31 March of the season"},
		{"a day that there is not", "programmes.csv", swap("31 March of the season", "31 April of the season"), "m/programmes.csv: row 2, column age_on: must be event, or a day such as 31 March of the season"},
		{"a day of a season for what has none", "programmes.csv", swap("18,,event", "18,,31 March of the season"), "m/programmes.csv: row 9, column age_on: must be event: a rolling programme has no season"},
		{"a season for what has none", "programmes.csv", swap("bp-check,blood-pressure,", "bp-check,blood-pressure,2025-26"), "m/programmes.csv: row 9, column seasons: must be empty: a rolling programme has none"},
		{"no birthday for a cohort", "programmes.csv", swap("birthday 5", ""), "m/programmes.csv: row 6, column cohort: must say the birthday for a cohort programme, and be empty for any other"},
		{"a birthday for flu", "programmes.csv", swap("31 March of the season,,", "31 March of the season,birthday 5,"), "m/programmes.csv: row 2, column cohort: must say the birthday for a cohort programme, and be empty for any other"},
		{"another rule for a cohort", "programmes.csv", swap("birthday 5", "school year"), "m/programmes.csv: row 6, column cohort: must be empty or birthday and an age, such as birthday 5"},
		{"doses the wrong way round", "programmes.csv", swap("birthday 5,,", "birthday 5,2,1"), "m/programmes.csv: row 6, column dose_to: must not be less than dose_from"},
		{"a dose for a check", "programmes.csv", swap("event,,,", "event,,2,"), "m/programmes.csv: row 8, column dose_from: must be empty, and dose_to too: checks have no doses"},
		{"a check for a programme of vaccinations", "programmes.csv", swap("flu-65,flu,", "flu-65,blood-pressure,"), "m/programmes.csv: row 2, column given: is of another event type than the programme in programmes.yaml"},
		{"two rows for the same people", "programmes.csv", add("covid-autumn,covid,2025-26,80,,event,,,,x"), "m/programmes.csv: row 10: overlaps row 5: somebody's record could be taken by both"},
		{"two programmes for the same people", "programmes.csv", add("flu-65,covid,,90,,event,,,,x"), "m/programmes.csv: row 10: overlaps row 3: somebody's record could be taken by both\nm/programmes.csv: row 10: overlaps row 4: somebody's record could be taken by both\nm/programmes.csv: row 10: overlaps row 5: somebody's record could be taken by both"},
		{"two cohorts", "programmes.csv", add("flu-65,mmr,2026-27,,5,event,,,,x"), "m/programmes.csv: row 10: overlaps row 6: somebody's record could be taken by both"},
	} {
		_, err := mapping.Parse("m", files(t, map[string]func(string) string{c.file: c.change}), programmes(t))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.title, err, c.want)
		}
	}
	without := files(t, nil)
	maps.DeleteFunc(without, func(name string, _ *fstest.MapFile) bool { return name == "checks.csv" })
	if _, err := mapping.Parse("m", without, programmes(t)); err == nil || !strings.HasPrefix(err.Error(), "m/checks.csv: cannot be read: ") {
		t.Error(err)
	}
	if _, err := mapping.Load(filepath.Join(t.TempDir(), "none"), programmes(t)); err == nil || strings.Count(err.Error(), "none/") != 5 {
		t.Error(err)
	}
}

// Rows beside each other are no overlap: other ages, other seasons, other doses, other kinds.
func TestNoOverlap(t *testing.T) {
	for title, rows := range map[string]string{
		"younger":                 "covid-autumn,covid,2025-26,,74,31 January of the season,,,,x",
		"another season":          "flu-65,flu,,50,64,31 March of the season,,,,x",
		"ages met on other days":  "covid-autumn,covid,2022-23,,48,event,,,,x",
		"children, not cohorts":   "flu-65,mmr,2022-23,16,,event,,,,x",
		"another kind altogether": "bp-check,nhs-health-check,,75,,event,,,,x",
	} {
		tables, err := mapping.Parse("m", files(t, map[string]func(string) string{"programmes.csv": add(rows)}), programmes(t))
		if err != nil {
			t.Errorf("%s: %v", title, err)
		} else if tables == nil {
			t.Error("nothing")
		}
	}
	// 49 on the day of the record may be 50 by March.
	_, err := mapping.Parse("m", files(t, map[string]func(string) string{"programmes.csv": add("covid-autumn,covid,2022-23,,49,event,,,,x")}), programmes(t))
	if err == nil || !strings.Contains(err.Error(), "overlaps row 3") {
		t.Error(err)
	}
}

// Whether rows overlap is what trying every day and birth date would say.
func TestOverlapByTrying(t *testing.T) {
	set, err := programme.Parse("p.yaml", []byte(`imd: 2025
programmes:
  - {id: a, name: A, kind: seasonal, event: vaccination, target: 1, history_from: 2023-01-01, limits: {floor: 1, smallest_change: 1, unknown_area: 1, ceiling: 1}, eligible: x, source: x,
     seasons: [{id: 2023, start: 2023-09-01, end: 2023-09-20}, {id: 2024, start: 2024-02-20, end: 2024-03-10}]}
  - {id: b, name: B, kind: seasonal, event: vaccination, target: 1, history_from: 2023-01-01, limits: {floor: 1, smallest_change: 1, unknown_area: 1, ceiling: 1}, eligible: x, source: x,
     seasons: [{id: 2023, start: 2023-09-15, end: 2023-09-25}, {id: 2024, start: 2024-03-01, end: 2024-03-15}]}
  - {id: c, name: C, kind: cohort, event: vaccination, target: 1, history_from: 2023-01-01, limits: {floor: 1, smallest_change: 1, unknown_area: 1, ceiling: 1}, eligible: x, source: x,
     seasons: [{id: 2023, start: 2023-03-01, end: 2024-02-28}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	const head = "programme,given,seasons,age_from,age_to,age_on,cohort,dose_from,dose_to,source\n"
	rules := []string{
		"a,flu,,2,,event,,,,x", "a,flu,,,2,event,,,,x", "a,flu,2023,,1,29 February of the season,,,,x", "a,flu,2024,3,4,1 March of the season,,,,x", "a,flu,,,,,,1,1,x",
		"b,flu,,2,2,event,,,,x", "b,flu,,3,3,31 March of the season,,,,x", "b,flu,,,,,,2,,x", "b,flu,2024,1,1,event,,,,x", "b,flu,2023,2,3,1 September of the season,,,,x",
		"c,flu,,,,,birthday 3,,,x", "c,flu,,,1,event,birthday 3,,,x", "c,flu,,3,3,31 August of the season,birthday 3,2,2,x",
	}
	single := make([]*mapping.Tables, len(rules))
	for i, rule := range rules {
		if single[i], err = mapping.Parse("m", files(t, map[string]func(string) string{"programmes.csv": func(string) string { return head + rule + "\n" }}), set); err != nil {
			t.Fatal(rule, err)
		}
	}
	found := 0
	for i, one := range rules {
		for j, other := range rules[:i] {
			_, err := mapping.Parse("m", files(t, map[string]func(string) string{"programmes.csv": func(string) string { return head + one + "\n" + other + "\n" }}), set)
			if err != nil && !strings.Contains(err.Error(), "overlaps") {
				t.Fatal(err)
			}
			if want := both(t, single[i], single[j]); want != (err != nil) {
				t.Errorf("%s\n%s\noverlap by trying: %v; by the tables: %v", one, other, want, err)
			} else if want {
				found++
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d of the pairs overlap: the test tries too little", found)
	}
}

// both tells whether there is a record that both tables take.
func both(t *testing.T, a, b *mapping.Tables) bool {
	k, l := kindOf(t, a, fluCode), kindOf(t, b, fluCode)
	for on := day(t, "2020-08-30"); on <= day(t, "2024-03-20"); on++ {
		switch on { // the days on which nothing begins or ends are left out
		case day(t, "2020-09-01"):
			on = day(t, "2023-08-30")
		case day(t, "2023-09-30"):
			on = day(t, "2024-02-15")
		}
		for born := day(t, "2019-01-01"); born <= on; born++ {
			for dose := range uint8(3) {
				d := mapping.Done{Day: on, Birth: mapping.Born(born), Dose: dose}
				if _, x := a.Find(k, d); x != mapping.Found {
					continue
				}
				if _, y := b.Find(l, d); y == mapping.Found {
					return true
				}
			}
		}
	}
	return false
}

// An age on the very day that the season starts is meant on that day, and a dose range needs a dose.
func TestReferenceDayAndDoses(t *testing.T) {
	set := programmes(t)
	flu, _ := set.Get("flu-65")
	rows := "programme,given,seasons,age_from,age_to,age_on,cohort,dose_from,dose_to,source\n" +
		"flu-65,flu,2025-26,2,2,1 October of the season,,,,x\nflu-65,flu,2024-25,,,,,2,3,x\nflu-65,flu,2023-24,5,,29 February of the season,,,,x\n"
	tables, err := mapping.Parse("m", files(t, map[string]func(string) string{"programmes.csv": func(string) string { return rows }}), programme.NewSet(2025, flu))
	if err != nil {
		t.Fatal(err)
	}
	k := kindOf(t, tables, fluCode)
	for _, c := range []struct {
		on, born string
		dose     uint8
		want     mapping.Answer
	}{
		{"2025-10-01", "2023-10-01", 0, mapping.Found}, {"2025-10-01", "2023-10-02", 0, mapping.Outside},
		{"2025-12-01", "2022-10-02", 0, mapping.Found}, {"2025-12-01", "2022-10-01", 0, mapping.Outside},
		{"2024-12-01", "2022-10-01", 0, mapping.NeedsDose}, {"2024-12-01", "2022-10-01", 1, mapping.Outside},
		{"2024-12-01", "2022-10-01", 2, mapping.Found}, {"2024-12-01", "2022-10-01", 3, mapping.Found}, {"2024-12-01", "2022-10-01", 4, mapping.Outside},
		{"2023-12-01", "2019-02-28", 0, mapping.Found}, {"2023-12-01", "2019-03-01", 0, mapping.Outside}, // five on 29 February 2024
	} {
		if _, got := tables.Find(k, mapping.Done{Day: day(t, c.on), Birth: mapping.Born(day(t, c.born)), Dose: c.dose}); got != c.want {
			t.Errorf("on %s, born %s, dose %d: %v, want %v", c.on, c.born, c.dose, got, c.want)
		}
	}
}
