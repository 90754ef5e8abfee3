package load_test

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/load"
)

// realData is a folder of the real data, which tests read in place.
func realData(t testing.TB, folder string) string {
	t.Helper()
	root := os.Getenv("GAPWATCH_REAL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	path := filepath.Join(root, folder)
	if _, err := os.Stat(path); os.IsNotExist(err) {
		t.Skipf("no real data at %s: set GAPWATCH_REAL_DATA", path)
	}
	return path
}

// column reads two columns of a raw file, by means that the loader has no part in.
func column(t testing.TB, dir, file, from, to string) [][2]string {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	a, b := -1, -1
	for i, h := range rows[0] {
		if h == from {
			a = i
		}
		if h == to {
			b = i
		}
	}
	var pairs [][2]string
	for _, r := range rows[1:] {
		pairs = append(pairs, [2]string{r[a], r[b]})
	}
	return pairs
}

func lookup(t testing.TB, dir, file, from, to string) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, p := range column(t, dir, file, from, to) {
		m[p[0]] = p[1]
	}
	return m
}

// resolveReal is the relations of the real look-ups and what they resolve to.
func resolveReal(t testing.TB, dir string) (map[string]*load.Relation, map[string]area.Resolved) {
	t.Helper()
	relations := map[string]*load.Relation{}
	for _, f := range mustCheck(t, dir).Files {
		for _, r := range f.Lookups.Relations {
			relations[r.Name] = r
		}
	}
	if n := len(relations[load.IMD2019].Deprivation); n != 32_844 {
		t.Errorf("the IMD 2019 has %d LSOAs, want 32,844", n)
	}
	if n := len(relations[load.IMD2025].Deprivation); n != 33_755 {
		t.Errorf("the IMD 2025 has %d LSOAs, want 33,755", n)
	}
	resolved := map[string]area.Resolved{}
	for _, r := range area.Resolve(load.Raw(relations)) {
		resolved[r.LSOA] = r
	}
	return relations, resolved
}

// Every code of both years, worked out again from the raw files by a join of a few lines.
func TestRealAreasOfEveryCode(t *testing.T) {
	dir := realData(t, "imd")
	_, resolved := resolveReal(t, dir)
	changes := column(t, dir, "lookup_lsoa11_lsoa21_ltla22.csv", "lsoa11_code", "lsoa21_code")
	quintile19 := lookup(t, dir, "imd2019_england_lsoa11.csv", "lsoa11_code", "imd_quintile_derived")
	quintile25 := lookup(t, dir, "imd2025_england_lsoa21.csv", "lsoa21_code", "imd_quintile_derived")
	msoa := lookup(t, dir, "lookup_lsoa11_msoa11.csv", "lsoa11_code", "msoa11_code")
	lad := lookup(t, dir, "lookup_lsoa21_ward24_ltla24.csv", "lsoa21_code", "ltla24_code")
	icb := lookup(t, dir, "lookup_lsoa21_icb24.csv", "lsoa21_code", "icb24_code")
	region := lookup(t, dir, "lookup_ltla24_region24.csv", "ltla24_code", "region24_code")

	type values map[string]bool
	one := func(v values) string {
		if len(v) == 1 {
			for s := range v {
				return s
			}
		}
		return ""
	}
	of21 := map[string]func(string) string{} // attribute of a 2021 code
	parents := map[string][]string{}
	children := map[string][]string{}
	for _, c := range changes {
		children[c[0]] = append(children[c[0]], c[1])
		parents[c[1]] = append(parents[c[1]], c[0])
	}
	through := func(m map[string]string) func(string) string {
		return func(code string) string {
			v := values{}
			for _, p := range parents[code] {
				v[m[p]] = true
			}
			return one(v)
		}
	}
	of21["neighbourhood"] = through(msoa)
	of21["quintile of 2019"] = through(quintile19)
	of21["quintile of 2025"] = func(code string) string { return quintile25[code] }
	of21["place"] = func(code string) string { return lad[code] }
	of21["system"] = func(code string) string { return icb[code] }
	of21["region"] = func(code string) string { return region[lad[code]] }

	quintile := func(q uint8) string {
		if q == 0 {
			return ""
		}
		return strconv.Itoa(int(q))
	}
	seen := map[string]bool{}
	compared := 0
	verify := func(code string, parts []string) {
		if seen[code] {
			return
		}
		seen[code] = true
		r := resolved[code]
		got := map[string]string{"neighbourhood": r.Neighbourhood, "place": r.Place, "system": r.System, "region": r.Region,
			"quintile of 2019": quintile(r.Quintile2019), "quintile of 2025": quintile(r.Quintile2025)}
		for attribute, of := range of21 {
			v := values{}
			for _, p := range parts {
				v[of(p)] = true
			}
			if want := one(v); got[attribute] != want {
				t.Errorf("%s: %s is %q, want %q", code, attribute, got[attribute], want)
			}
			compared++
		}
	}
	for code, parts := range children {
		verify(code, parts)
	}
	for code := range parents {
		verify(code, []string{code})
	}
	if len(seen) != len(resolved) || len(seen) != 36_778 {
		t.Errorf("%d codes compared, %d resolved, want 36,778", len(seen), len(resolved))
	}
	if compared != 6*len(seen) {
		t.Errorf("%d values compared", compared)
	}
}

// Worked by hand from the raw files: codes of each kind of change.
func TestRealAreasOfSomeCodes(t *testing.T) {
	_, resolved := resolveReal(t, realData(t, "imd"))
	// all of them lie in the ICB North East and North Cumbria and the region North East
	lies := func(lsoa, msoa, place string, quintile2019, quintile2025 uint8, rank2019, rank2025 uint32) area.Resolved {
		return area.Resolved{LSOA: lsoa, Neighbourhood: msoa, Place: place, System: "E54000050", Region: "E12000001",
			Quintile2019: quintile2019, Quintile2025: quintile2025, Rank2019: rank2019, Rank2025: rank2025}
	}
	for what, want := range map[string]area.Resolved{
		"unchanged":           lies("E01011949", "E02002491", "E06000001", 1, 1, 4731, 4520),
		"split, parts alike":  lies("E01033468", "E02002496", "E06000002", 1, 1, 244, 0),
		"part of it":          lies("E01035190", "E02002496", "E06000002", 1, 1, 244, 729),
		"split, deciles 1, 4": lies("E01012266", "E02002548", "E06000004", 1, 0, 115, 0),
		"part of decile 4":    lies("E01035198", "E02002548", "E06000004", 1, 2, 115, 13192),
		"merged":              lies("E01011973", "E02002487", "E06000001", 1, 1, 0, 132),
		"what it merged into": lies("E01035188", "E02002487", "E06000001", 1, 1, 0, 132),
		"other, over the border of Gateshead and Northumberland": lies("E01008187", "", "", 0, 0, 0, 0),
		"what part of it became":                                 lies("E01035637", "", "E06000057", 0, 3, 0, 14501),
	} {
		if got := resolved[want.LSOA]; got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
		}
	}
}

// The shares of LSOAs in the most deprived tenth as the ministry published them, to the last digit.
func TestRealOfficialSummaries(t *testing.T) {
	dir := realData(t, "imd")
	relations, resolved := resolveReal(t, dir)
	ltla19 := lookup(t, dir, "lookup_lsoa11_ltla19.csv", "lsoa11_code", "ltla19_code")
	const share = "imd_proportion_of_lso_as_in_most_deprived_10_percent_nationally"
	for _, c := range []struct {
		summary, code, column string
		relation              string
		area                  func(lsoa string) string
		areas                 int
		except                map[string]bool
	}{
		{"imd2025_england_icb24_official_summary.csv", "icb24_code", share, load.IMD2025,
			func(lsoa string) string { return resolved[lsoa].System }, 42, nil},
		// The look-up to districts goes by best fit of wards. It puts E01027305 into Cherwell, the ministry into West
		// Northamptonshire: 5 of 238 and not 5 of 237. Cherwell has none in the tenth either way.
		{"imd2025_england_ltla24_official_summary.csv", "ltla24_code", share, load.IMD2025,
			func(lsoa string) string { return resolved[lsoa].Place }, 296, map[string]bool{"E06000062": true}},
		// districts of 2019 are not among the areas that are counted by: the ranking alone is compared
		{"imd2019_england_ltla19_official_summary.csv", "ltla19_code", "Proportion", load.IMD2019,
			func(lsoa string) string { return ltla19[lsoa] }, 317, nil},
	} {
		all, worst := map[string]int{}, map[string]int{}
		for lsoa, d := range relations[c.relation].Deprivation {
			all[c.area(lsoa)]++
			if d.Decile == 1 {
				worst[c.area(lsoa)]++
			}
		}
		published := lookup(t, dir, c.summary, c.code, c.column)
		if len(published) != c.areas || len(all) != c.areas {
			t.Errorf("%s: %d areas published, %d resolved, want %d", c.summary, len(published), len(all), c.areas)
		}
		for code, text := range published {
			want, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			got := float64(worst[code]) / float64(all[code])
			if same := math.Abs(got-want) <= 0.00005000001; same == c.except[code] {
				t.Errorf("%s: %s has %d of %d = %.6f, published is %v", c.summary, code, worst[code], all[code], got, want)
			}
		}
	}
}

// What the change of edition alone makes unknown: IMD 2025 is by 2021 LSOA, these are the people of 2011 LSOAs.
func TestRealShareThatIsUnknown(t *testing.T) {
	dir := realData(t, "imd")
	_, resolved := resolveReal(t, dir)
	var people, unknown, lsoas, place, system int
	for code, text := range lookup(t, dir, "population_mid2020_lsoa11_ageband.csv", "lsoa11_code", "total") {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		people += n
		r := resolved[code]
		if r.Quintile2025 == 0 {
			unknown += n
			lsoas++
		}
		if r.Place == "" {
			place++
		}
		if r.System == "" {
			system++
		}
	}
	if people != 56_550_138 {
		t.Errorf("%d people, want 56,550,138", people)
	}
	if share := 100 * float64(unknown) / float64(people); lsoas != 524 || math.Abs(share-3.06) > 0.005 {
		t.Errorf("%d LSOAs of 2011 with %.2f %% of all people have no quintile of 2025, want 524 with 3.06 %%", lsoas, share)
	}
	if place != 3 || system != 0 {
		t.Errorf("%d LSOAs of 2011 have no place and %d no system, want 3 and 0", place, system)
	}
	var of2019 int
	for code := range lookup(t, dir, "imd2025_england_lsoa21.csv", "lsoa21_code", "imd_rank") {
		if resolved[code].Quintile2019 == 0 {
			of2019++
		}
	}
	if of2019 != 55 {
		t.Errorf("%d LSOAs of 2021 have no quintile of 2019, want 55", of2019)
	}
}
