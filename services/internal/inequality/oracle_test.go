package inequality_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"gapwatch/services/internal/inequality"
)

// statistics is a file of others' answers, which tests read in place.
func statistics(t *testing.T, file string) *os.File {
	t.Helper()
	root := os.Getenv("GAPWATCH_REAL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	f, err := os.Open(filepath.Join(root, "stats", filepath.FromSlash(file)))
	if os.IsNotExist(err) {
		t.Skipf("no real data: %v: set GAPWATCH_REAL_DATA", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func decode(t *testing.T, file string, into any) {
	t.Helper()
	if err := json.NewDecoder(statistics(t, file)).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// row is a row of a CSV file by column.
type row map[string]string

func (r row) number(t *testing.T, column string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(r[column], 64)
	if err != nil {
		t.Fatalf("%s: %v", column, err)
	}
	return v
}

func (r row) count(t *testing.T, column string) uint64 {
	t.Helper()
	v, err := strconv.ParseUint(r[column], 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", column, err)
	}
	return v
}

func table(t *testing.T, file string) []row {
	t.Helper()
	records, err := csv.NewReader(statistics(t, file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for _, record := range records[1:] {
		r := row{}
		for i, column := range records[0] {
			r[column] = record[i]
		}
		rows = append(rows, r)
	}
	return rows
}

// pheRow is a group as the JSON files give it; null is not known.
type pheRow struct {
	Quantile   int
	Population float64
	Count      *float64
	Value      *float64
	LowerCL    *float64 `json:"lower_cl"`
	UpperCL    *float64 `json:"upper_cl"`
	SE         *float64
}

func quantiles(rows []pheRow) []inequality.Quantile {
	known := func(v *float64) float64 {
		if v == nil {
			return math.NaN()
		}
		return *v
	}
	var groups []inequality.Quantile
	for _, r := range rows {
		groups = append(groups, inequality.Quantile{Number: r.Quantile, Population: r.Population,
			Value: known(r.Value), Low: known(r.LowerCL), High: known(r.UpperCL), SE: known(r.SE), Count: known(r.Count)})
	}
	return groups
}

var valueTypes = map[string]inequality.ValueType{"other": inequality.Other, "rate": inequality.Rate, "proportion": inequality.Proportion}

// deviations are the worst differences of intervals, as shares of the width.
type deviations map[string]float64

func (d deviations) add(what string, share float64) { d[what] = max(d[what], share) }

// The 40 cases of phe_sii, by each source of precision that a case has: points to 1e-9 relative, simulated intervals to
// 3 % of their width plus 1e-4.
func TestPHECases(t *testing.T) {
	var file struct {
		Cases []struct {
			ID, Transform string
			ValueType     string `json:"value_type"`
			Multiplier    float64
			Rows          []pheRow
			Expected      struct {
				SII, RII  float64
				Intercept *float64
				CI        []struct {
					Confidence float64
					SIILower   float64 `json:"sii_lower"`
					SIIUpper   float64 `json:"sii_upper"`
					RIILower   float64 `json:"rii_lower"`
					RIIUpper   float64 `json:"rii_upper"`
				}
			}
		}
	}
	decode(t, "phe/sii_cases.json", &file)
	if len(file.Cases) != 40 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	worst := deviations{}
	for _, c := range file.Cases {
		valueType, ok := valueTypes[c.ValueType]
		if !ok {
			t.Fatalf("%s: value type %q", c.ID, c.ValueType)
		}
		sources := map[string]inequality.Precision{"limits": inequality.FromLimits}
		if c.Transform == "none" { // with it, phe_sii refuses standard errors
			sources["se"] = inequality.FromSE
		}
		if valueType == inequality.Proportion {
			sources["count"] = inequality.FromCount
		}
		for source, precision := range sources {
			options := inequality.SlopeOptions{Type: valueType, Precision: precision, Transform: c.Transform != "none",
				Multiplier: c.Multiplier, Confidence: 95}
			name := c.ID + " by " + source
			got, err := inequality.Slope(quantiles(c.Rows), options)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			near(t, name+": SII", got.SII.Value, c.Expected.SII, 1e-9)
			near(t, name+": RII", get(t, name, got.RII).Value, c.Expected.RII, 1e-9)
			if c.Expected.Intercept != nil {
				near(t, name+": intercept", got.Intercept, *c.Expected.Intercept, 1e-9)
			}
			for _, ci := range c.Expected.CI {
				options.Confidence = ci.Confidence
				got, err := inequality.Slope(quantiles(c.Rows), options)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				worst.add("SII", within(t, name+": SII", got.SII, ci.SIILower, ci.SIIUpper, 0.03, 1e-4))
				worst.add("RII", within(t, name+": RII", get(t, name, got.RII), ci.RIILower, ci.RIIUpper, 0.03, 1e-4))
			}
		}
	}
	t.Logf("worst intervals, as shares of the width: %v", worst)
}

// The inputs that phe_sii refuses are refused, for the same reason.
func TestPHEErrorCases(t *testing.T) {
	fields := map[string]string{
		"some groups have a zero, negative or missing population":                   "population",
		"negative or missing standard errors in input dataset":                      "se",
		"some groups have a zero or negative count x":                               "count",
		"value proportions are not all between 0 and 1":                             "value",
		"confidence limit proportions are not all between 0 and 1":                  "limits",
		"Number of quantiles must be between 5 and 100":                             "quantiles",
		"missing lower or upper confidence limits in input dataset":                 "limits",
		"WARNING: some records have been removed due to incomplete or invalid data": "number",
		"value_type should be 1 or 2 when transform is true":                        "transform",
		"all confidence levels must be between 90 and 100 or between 0.9 and 1":     "confidence",
	}
	var file struct {
		Cases []struct {
			Rows []pheRow
			Args struct {
				ValueType  string `json:"value_type"`
				Use, X     string
				Transform  bool
				Confidence float64
			}
			Error, Warning string
		}
	}
	decode(t, "phe/sii_error_cases.json", &file)
	if len(file.Cases) != 12 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		message := c.Error + c.Warning
		field, ok := fields[message]
		if !ok {
			t.Fatalf("unheard-of message %q", message)
		}
		options := inequality.SlopeOptions{Type: valueTypes[c.Args.ValueType], Transform: c.Args.Transform, Multiplier: 1, Confidence: 95}
		switch {
		case c.Args.X != "":
			options.Precision = inequality.FromCount
		case c.Args.Use == "se":
			options.Precision = inequality.FromSE
		}
		if c.Args.Confidence != 0 {
			options.Confidence = c.Args.Confidence
		}
		// Rows of a case may be those of any groups, without their numbers being from 1 on: upstream ranks them. Here the
		// numbers must be right, so that a missing one is seen.
		areas := [][]pheRow{nil}
		for i, r := range c.Rows {
			if i > 0 && r.Quantile < c.Rows[i-1].Quantile {
				areas = append(areas, nil)
			}
			areas[len(areas)-1] = append(areas[len(areas)-1], r)
		}
		if len(c.Rows) == 0 { // of options alone
			areas[0] = []pheRow{}
			for i, q := range lifeExpectancy {
				areas[0] = append(areas[0], pheRow{Quantile: i + 1, Population: q.Population, Value: &q.Value, LowerCL: &q.Low, UpperCL: &q.High})
			}
		}
		refused := 0
		for _, area := range areas {
			first := area[0].Quantile
			for i := range area {
				area[i].Quantile -= first - 1
			}
			_, err := inequality.Slope(quantiles(area), options)
			var input *inequality.InputError
			switch {
			case err == nil:
			case errors.As(err, &input) && input.Field == field:
				refused++
			default:
				t.Errorf("%s: %v", message, err)
			}
		}
		// of the two areas of the warning the first is whole
		if want := len(areas) - min(1, len(c.Warning)); refused != want {
			t.Errorf("%s: %d of %d areas were refused", message, refused, len(areas))
		}
	}
}

// The examples of the package's vignette on the package's own data, as R computes them.
func TestPHEVignettes(t *testing.T) {
	worst := deviations{}
	check := func(name string, groups []inequality.Quantile, options inequality.SlopeOptions, want row) {
		t.Helper()
		options.Confidence = 95
		got, err := inequality.Slope(groups, options)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rii := get(t, name, got.RII)
		near(t, name+": SII", got.SII.Value, want.number(t, "sii"), 1e-9)
		near(t, name+": RII", rii.Value, want.number(t, "rii"), 1e-9)
		near(t, name+": intercept", got.Intercept, want.number(t, "intercept"), 1e-9)
		worst.add("SII", within(t, name+": SII", got.SII, want.number(t, "sii_lower95_0"), want.number(t, "sii_upper95_0"), 0.03, 1e-4))
		worst.add("RII", within(t, name+": RII", rii, want.number(t, "rii_lower95_0"), want.number(t, "rii_upper95_0"), 0.03, 1e-4))
	}
	rates := map[string][]inequality.Quantile{}
	for _, r := range table(t, "phe/package_data_dsr_by_quintile.csv") {
		rates[r["Period"]] = append(rates[r["Period"]], inequality.Quantile{Number: int(r.count(t, "Quintile")),
			Population: r.number(t, "total_pop"), Value: r.number(t, "value"), Low: r.number(t, "lowercl"), High: r.number(t, "uppercl")})
	}
	for _, want := range table(t, "phe/package_vignette_ex2_rate_log_quintile_by_R.csv") {
		check("rate of "+want["Period"], rates[want["Period"]], inequality.SlopeOptions{Type: inequality.Rate, Transform: true, Multiplier: 1}, want)
	}
	counts := map[string][]inequality.Quantile{}
	for _, r := range table(t, "phe/package_data_prevalence_ncmp_by_decile.csv") {
		key := r["Period"] + r["SchoolYear"]
		counts[key] = append(counts[key], inequality.Quantile{Number: int(r.count(t, "Decile")),
			Population: r.number(t, "Measured"), Count: r.number(t, "Count")})
	}
	for _, want := range table(t, "phe/package_vignette_ex3_proportion_logit_by_R.csv") {
		key := want["Period"] + want["SchoolYear"]
		check("obesity of "+key, counts[key], inequality.SlopeOptions{Type: inequality.Proportion, Precision: inequality.FromCount,
			Transform: true, Multiplier: want.number(t, "multiplier")}, want)
	}
	t.Logf("worst intervals, as shares of the width: %v", worst)
}

func TestWilsonCases(t *testing.T) {
	rows := table(t, "phe/wilson_cases.csv")
	if len(rows) != 50 {
		t.Fatalf("%d cases", len(rows))
	}
	for _, r := range rows {
		low, high, err := inequality.Wilson(r.number(t, "x"), r.number(t, "n"), r.number(t, "confidence_percent"))
		if err != nil {
			t.Fatal(err)
		}
		if off := max(math.Abs(low-r.number(t, "lower")), math.Abs(high-r.number(t, "upper"))); !(off <= r.number(t, "abs_tolerance")) {
			t.Errorf("%v: from %v to %v", r, low, high)
		}
	}
}

// realUptake are the counts of the OpenSAFELY tables that R was given, by series and day. It checks R's Wilson limits.
func realUptake(t *testing.T) map[[2]string]inequality.Quintiles {
	t.Helper()
	tables := map[[2]string]inequality.Quintiles{}
	for _, r := range table(t, "phe/real_uptake_wilson95_by_R.csv") {
		key := [2]string{r["series"], r["period"]}
		c := inequality.Count{Covered: r.count(t, "num"), Eligible: r.count(t, "pop")}
		q := tables[key]
		q[r.count(t, "quint")-1] = c
		tables[key] = q
		got, ok := inequality.UptakeOf(c)
		off := max(math.Abs(got.Value-r.number(t, "value")), math.Abs(got.Low-r.number(t, "lowercl")), math.Abs(got.High-r.number(t, "uppercl")))
		if !ok || !(off <= 1e-9) {
			t.Errorf("%v: %+v", r, got)
		}
	}
	return tables
}

// Real uptake as R measures it: points to 1e-9, intervals to 3 % (logit) and 8 % (linear) of their width.
func TestRealUptake(t *testing.T) {
	worst := deviations{}
	n := map[string]int{}
	tables := realUptake(t)
	rows := table(t, "phe/real_uptake_sii_rii_by_R.csv")
	if len(tables) != 493 || len(rows) != 986 {
		t.Fatalf("%d tables, %d rows", len(tables), len(rows))
	}
	for _, want := range rows {
		name := want["series"] + " " + want["period"] + " " + want["transform"]
		m := inequality.Of(tables[[2]string{want["series"], want["period"]}], 100)
		sii, rii, share := m.SII, m.RII, 0.03
		if want["transform"] == "none" {
			sii, rii, share = m.LinearSII, m.LinearRII, 0.08
		}
		for what, measure := range map[string]inequality.Measure{"sii": sii, "rii": rii} {
			got, ok := measure.Get()
			if what == "rii" && !ok && measure.NotComputed() == (inequality.NotComputed{LowEnd: true}) {
				// R divides by a low end that its own draws take to 0 and below: its interval is then without meaning.
				n["rii none, no low end"]++
				continue
			}
			if !ok {
				t.Fatalf("%s: %s: %s", name, what, measure.NotComputed())
			}
			near(t, name+": "+what, got.Value, want.number(t, what), 1e-9)
			low, high := want.number(t, what+"_lower95"), want.number(t, what+"_upper95")
			worst.add(what+" "+want["transform"], within(t, name+": "+what, got, low, high, share, 0))
			n[what+" "+want["transform"]]++
		}
	}
	if n["rii none, no low end"] != 7 || n["rii none"] != 486 {
		t.Errorf("computed: %v", n)
	}
	t.Logf("worst intervals, as shares of the width: %v of %v", worst, n)
}

// The cases of WHO's healthequal of measures that are also computed here. People short to the best group, as a share of all
// eligible people, are its population attributable risk and its weighted mean difference from best.
func TestWHOCases(t *testing.T) {
	type figures struct {
		Pop, Est []float64
	}
	var file struct {
		Nonordered25 figures
		Cases        []struct {
			Measure   string
			Input     json.RawMessage
			Tolerance float64
			Expected  struct{ Estimate float64 }
		}
		Rerun []struct {
			figures
			Input    figures
			What     string
			SII, RII float64
		} `json:"independent_rerun"`
	}
	decode(t, "who/healthequal_cases.json", &file)
	if len(file.Cases) != 20 || len(file.Rerun) != 4 {
		t.Fatalf("%d cases, %d rerun", len(file.Cases), len(file.Rerun))
	}
	skipped := map[string]string{
		"sii": "a logistic model weighted twice: another method", "rii": "a logistic model weighted twice: another method",
		"aci": "concentration indices are not computed here", "rci": "concentration indices are not computed here",
		"bgsd": "spread between groups is not computed here", "bgv": "spread between groups is not computed here",
		"idisu": "the index of disparity is not computed here", "idisw": "the index of disparity is not computed here",
		"mdbu": "the unweighted mean difference from best is not computed here",
		"mdmu": "mean differences from mean are not computed here", "mdmw": "mean differences from mean are not computed here",
		"mdru": "mean differences from a reference are not computed here", "mdrw": "mean differences from a reference are not computed here",
		"mld": "entropy measures are not computed here", "ti": "entropy measures are not computed here",
	}
	for _, c := range file.Cases {
		in := file.Nonordered25
		agrees := func(what string, got float64) {
			// relative, as in the tests that the figures are from
			if !(math.Abs(got-c.Expected.Estimate) <= c.Tolerance*math.Abs(c.Expected.Estimate)) {
				t.Errorf("%s is %v, should be %v", what, got, c.Expected.Estimate)
			}
		}
		if c.Input[0] == '{' {
			in = figures{}
			if err := json.Unmarshal(c.Input, &in); err != nil {
				t.Fatal(err)
			}
		}
		switch _, left := skipped[c.Measure]; {
		case left:
		case c.Measure == "parisk" || c.Measure == "par-nonordered" || c.Measure == "mdbw":
			short, _, eligible := shortOf(t, in.Pop, in.Est)
			agrees(c.Measure, 100*short/eligible)
		case c.Measure == "paf" || c.Measure == "paf-nonordered":
			short, covered, _ := shortOf(t, in.Pop, in.Est)
			agrees(c.Measure, 100*short/covered)
		default:
			t.Errorf("%s is neither checked nor left out for a reason", c.Measure)
		}
	}
	linear := 0
	for _, c := range file.Rerun {
		in := c.Input
		if in.Pop == nil {
			in = c.figures
		}
		if c.What != "same data, linear=TRUE (gaussian WLS, HC1)" && c.What != "OrderedSample, linear=TRUE" {
			continue // logistic: another method
		}
		if in.Pop == nil { // the rerun before it has the data
			in = file.Rerun[2].figures
		}
		linear++
		var groups []inequality.Quantile
		for i := range in.Pop {
			// healthequal rounds people up; its standard errors are sandwich ones, and not compared
			groups = append(groups, inequality.Quantile{Number: i + 1, Population: math.Ceil(in.Pop[i]), Value: in.Est[i]})
		}
		got, err := inequality.Slope(groups, inequality.SlopeOptions{Precision: inequality.FromSE, Multiplier: 1, Confidence: 95})
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.What+": SII", got.SII.Value, c.SII, 1e-6)
		near(t, c.What+": RII", get(t, c.What, got.RII).Value, c.RII, 1e-6)
	}
	if linear != 2 {
		t.Errorf("%d linear reruns were checked", linear)
	}
}

// shortOf is people short to the best group, people covered and people eligible. Shares are whole percent, so that a
// hundred times the people are whole counts. More than five groups are measured in parts that all have the best group.
func shortOf(t *testing.T, pop, percent []float64) (short, covered, eligible float64) {
	t.Helper()
	count := func(i int) inequality.Count {
		return inequality.Count{Covered: uint64(pop[i] * percent[i]), Eligible: uint64(100 * pop[i])}
	}
	best := 0
	for i := range pop {
		if percent[i] > percent[best] {
			best = i
		}
	}
	for i := 0; i < len(pop); i += 4 {
		q := inequality.Quintiles{0: count(best)}
		n := min(4, len(pop)-i)
		for j := range n {
			q[j+1] = count(i + j)
			covered += float64(q[j+1].Covered)
			eligible += float64(q[j+1].Eligible)
		}
		people := inequality.ShortToBest(q, 0)
		for j := range n {
			short += float64(get(t, "people short", people[j+1]))
		}
	}
	return short, covered, eligible
}
