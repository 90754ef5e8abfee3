package reporting_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reporting"
	"gapwatch/services/internal/store"
)

// What dashboards ask of a store that the demo never is: a season that has counts and no complete day yet, more people covered
// than eligible, a programme without a target.
func TestPanelsOnDaysThatTheDemoDoesNotHave(t *testing.T) {
	process := enginetest.New(t)
	if err := store.Migrate(t.Context(), process.URL()); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(process.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing is left unwritten
	today := calendar.Of(time.Now())
	set := programme.NewSet(2025, &programme.Programme{ID: "flu", Name: "Flu", Kind: programme.Seasonal, HistoryFrom: today - 800,
		Limits:  programme.Limits{Floor: 100, SmallestChange: 1, UnknownArea: 5, Ceiling: 20, Behind: 5},
		Seasons: []programme.Season{{ID: "last", Start: today - 250, End: today - 60}, {ID: "now", Start: today - 2, End: today + 100}}},
		&programme.Programme{ID: "aimed", Name: "Aimed", Kind: programme.Seasonal, HistoryFrom: today - 800, Target: 75,
			Limits:  programme.Limits{Floor: 100, SmallestChange: 1, UnknownArea: 5, Ceiling: 15, Behind: 5},
			Seasons: []programme.Season{{ID: "run", Start: today - 250, End: today + 100}}})
	if err := reporting.WriteProgrammes(t.Context(), conn, set, time.Now()); err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile("testdata/panels.sql")
	if err != nil {
		t.Fatal(err)
	}
	for statement := range strings.SplitSeq(strings.TrimSpace(string(rows)), ";\n") {
		if err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ panel, season, place, has, hasNot string }{
		{"variables/system", "now", "P1", "S1\tSys\n", "-"},
		{"live-uptake/curve", "now", "P1", "\t0.5\t0.51\t0.52\t0.53\t0.54\t\\N\t\\N\t\\N\t1\n", "-"},
		{"live-uptake/gap-curve", "now", "P1", "\t24\t\\N\t20\t1\n", "-"},
		{"live-uptake/trust", "now", "P1", "no complete day yet", "no counts yet"},
		{"live-uptake/by-quintile", "last", "P1", "All\t1.005\t\t\\N\t1000\t\\N\t\\N\t\\N\t\tmore covered than eligible: check the eligible\n", "nan"},
		{"who-is-missing/groups", "last", "P1", "White: British\t1 most deprived\t\\N\t80\t20\t100\t0.2\tshown\n", "-"},
		{"build-your-own/verdicts", "now", "P1", "", "Said of last season."},
		// The exact gap of the verdict's day never stands beside the interval of another day.
		{"live-uptake/gap", "last", "P1", "13\tinterval withheld\n", "-"},
		{"live-uptake/gap", "run", "P2", "20\t95 % interval 18.0 to 22.0\n", "-"},
		{"widening/places", "run", "P2", "\t20\t4\t1150\t\tabove the limit of 15\t", "-"},
		{"live-uptake/short", "run", "P2", "1150\t1,050 in the most deprived fifth; without 2 fifths (1 withheld, 1 not computed)\n", "-"},
		{"neighbourhoods/counts", "last", "P1", "1\t1\t1\t0\t0\n", "-"},
		{"neighbourhoods/answer", "last", "P1", "Withheld (small numbers): 1 of 3. Without a denominator: 1 of 3.", "-"},
		{"build-your-own/uptake-over-time", "now", "P1", "", "0.51"},
		// P3 is withheld before the intervention: it is in no rise, nor in the curve; the gap is compared on later days only.
		{"intervention/phases", "last", "P1", "elsewhere\t7\t7\t0\t0\n", "-"},
		{"intervention/phases", "last", "P1", "Gap at the end, elsewhere\t39\t23.5\t23.5\t-15.5\n", "-"},
		{"intervention/curve", "last", "P1", "\t0.3\t0.52\t", "\t0.51\t"},
		{"is-the-feed-healthy/at-the-door", "last", "P1", "gp-south\tcsv\tbad day\tDATE\t2\t2\ngp-north\tfhir\tbad day\tDATE\t1\t3\n", "collector"},
	} {
		text, err := os.ReadFile("../../../dashboards/sql/" + c.panel + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		id := "flu"
		if c.season == "run" {
			id = "aimed"
		}
		query := strings.NewReplacer("${programme:sqlstring}", "'"+id+"'", "${season:sqlstring}", "'"+c.season+"'", "${system:sqlstring}", "'S1'", "${place:sqlstring}", "'"+c.place+"'",
			"${intervention:sqlstring}", "'P1|"+(today-150).String()+"|Bus'", "$__timeFilter(day)", "true").Replace(string(text))
		response, err := http.Post(process.URL(), "text/plain", strings.NewReader(query))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(answer), c.has) || strings.Contains(string(answer), c.hasNot) && c.hasNot != "-" {
			t.Errorf("%s: %s, %v: %q should have %q and not %q", c.panel, response.Status, err, answer, c.has, c.hasNot)
		}
	}
}
