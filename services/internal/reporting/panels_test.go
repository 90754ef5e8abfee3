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
		Seasons: []programme.Season{{ID: "last", Start: today - 250, End: today - 60}, {ID: "now", Start: today - 2, End: today + 100}}})
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
	for _, c := range []struct{ panel, season, has, hasNot string }{
		{"variables/system", "now", "S1\tSys\n", "-"},
		{"live-uptake/curve", "now", "\t0.5\t0.51\t0.52\t0.53\t0.54\t\\N\t\\N\t\\N\t1\n", "-"},
		{"live-uptake/gap-curve", "now", "\t24\t\\N\t20\t1\n", "-"},
		{"live-uptake/trust", "now", "no complete day yet", "no counts yet"},
		{"live-uptake/by-quintile", "last", "All\t1.005\t\t\\N\t1000\t\\N\t\\N\t\\N\t\tmore covered than eligible: check the eligible\n", "nan"},
		{"who-is-missing/groups", "last", "White: British\t1 most deprived\t\\N\t80\t20\t100\t0.2\tshown\n", "-"},
		{"build-your-own/verdicts", "now", "", "Said of last season."},
	} {
		text, err := os.ReadFile("../../../dashboards/sql/" + c.panel + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		query := strings.NewReplacer("${programme:sqlstring}", "'flu'", "${season:sqlstring}", "'"+c.season+"'", "${system:sqlstring}", "'S1'", "${place:sqlstring}", "'P1'").Replace(string(text))
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
