package grafanacheck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"gapwatch/dashboards"
	"gapwatch/services/internal/alerting"
	"gapwatch/services/internal/engine/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// store of two places and a system, in tables where the views would be.
func reporting(t *testing.T) func(statement string) {
	t.Helper()
	url := enginetest.URL(t)
	run := func(statement string) {
		t.Helper()
		response, err := http.Post(url, "text/plain", strings.NewReader(statement))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", statement, response.Status)
		}
	}
	for _, statement := range []string{
		"CREATE DATABASE IF NOT EXISTS reporting ENGINE = Atomic",
		"CREATE OR REPLACE TABLE reporting.geographies (level LowCardinality(String), code String, name String, system_code String) ENGINE = Memory",
		"CREATE OR REPLACE TABLE reporting.seasons (programme String, season String, newest Bool) ENGINE = Memory",
		"CREATE OR REPLACE TABLE reporting.alerts (programme String, season String, code String, severity String, sentence String, points Float64) ENGINE = Memory",
		"INSERT INTO reporting.geographies VALUES ('place', 'P1', 'One', 'S1'), ('place', 'P2', 'Two', 'S1'), ('system', 'S1', 'Sys', 'S1'), ('neighbourhood', 'N1', 'One', 'S1')",
		"INSERT INTO reporting.seasons VALUES ('flu', '2025-26', false), ('flu', '2026-27', true), ('checks', 'rolling', true)",
		`INSERT INTO reporting.alerts VALUES ('flu', '2026-27', 'P1', 'warning', 'One widens.', 4.3), ('flu', '2026-27', 'P2', 'warning', 'Two does not.', 0),
			('flu', '2026-27', 'S1', 'critical', 'Sys does not.', 0)`,
	} {
		run(statement)
	}
	return run
}

// dashboardOf has one panel, and variables as the real ones have.
func dashboardOf(t *testing.T, sql string) dashboards.Dashboard {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"uid": "x", "title": "X", "time": map[string]string{"from": "now-90d", "to": "now"},
		"templating": map[string]any{"list": []map[string]any{
			{"name": "programme", "type": "query", "query": "SELECT programme FROM reporting.seasons WHERE newest ORDER BY programme DESC"},
			{"name": "season", "type": "query", "query": "SELECT season, upper(season) AS said FROM reporting.seasons WHERE newest AND programme = ${programme:sqlstring}"},
			{"name": "system", "type": "query", "query": "SELECT 'S1' AS code"},
			{"name": "place", "type": "query", "query": "SELECT arrayJoin([${system:sqlstring}, 'P1', 'P2']) AS place"},
			{"name": "fifths", "type": "custom", "query": "of England : national, of the place : local"},
		}},
		"panels": []map[string]any{{"title": "Row", "panels": []map[string]any{{"title": "Panel", "targets": []map[string]string{{"rawSql": sql}}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return dashboards.Dashboard{UID: "x", Title: "X", File: "x.json", JSON: text}
}

func groupOf(t *testing.T, group, uid, sql string) []alerting.Group {
	t.Helper()
	groups, err := alerting.Render([]alerting.Rule{{File: "x.yaml", SQL: sql, UID: uid, Title: "Gap is widening", Group: group, Every: time.Minute, For: time.Minute,
		NoData: "KeepLast", Error: "KeepLast", Description: "Means.", Dashboard: "x"}}, alerting.Settings{DataSourceUID: "ch", FolderUID: "gapwatch"})
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

const (
	goodPanel = "SELECT name, $__fromTime AS at FROM reporting.geographies WHERE code = '$place' AND ${programme:sqlstring} = 'flu' AND '[${season}]' = '[2026-27]' AND '${fifths}' = 'national' AND $__timeFilter(now())"
	goodRule  = "SELECT * FROM reporting.alerts"
)

func check(t *testing.T, panel, rule string, expected *Expected) (said string, err error) {
	t.Helper()
	var out bytes.Buffer
	c := checker{store: clickhouse{enginetest.URL(t)}, out: &out, now: time.Now(), expected: expected, links: true}
	err = c.run(t.Context(), []dashboards.Dashboard{dashboardOf(t, panel)}, groupOf(t, "gapwatch-x", widening, rule))
	return out.String(), err
}

func TestNothingIsFoundWhereAllIsWell(t *testing.T) {
	reporting(t)
	said, err := check(t, strings.Replace(goodPanel, "now()", "now() - 60", 1), goodRule, &Expected{"flu", "One"})
	if err != nil || !strings.Contains(said, "fires for One widens.") || !strings.Contains(said, "of 1 dashboards and 1 alert rules") || !strings.Contains(said, "; 0 findings") {
		t.Errorf("%v: %s", err, said)
	}
}

// Each is a finding that names where it is.
func TestWhatIsFound(t *testing.T) {
	run := reporting(t)
	one := &Expected{"flu", "One"}
	const panel = `dashboard "X", panel "Panel"`
	const rule = `alert rule "Gap is widening"`
	ok := strings.Replace(goodPanel, "now()", "now() - 60", 1)
	for name, c := range map[string]struct {
		panel, rule string
		expected    *Expected
		says        []string
	}{
		"an error":              {"SELECT nothing", goodRule, nil, []string{panel, "nothing"}},
		"no rows":               {"SELECT 1 AS one WHERE false", goodRule, nil, []string{panel, "nothing to show (0 rows)"}},
		"only gaps":             {"SELECT now() AS at, NULL::Nullable(Float64) AS uptake FROM numbers(3)", goodRule, nil, []string{panel, "nothing to show (3 rows)"}},
		"a type for no panel":   {"SELECT [1, 2] AS list", goodRule, nil, []string{panel, "list", "Array(UInt8)"}},
		"a column twice":        {"SELECT 1 AS a, name AS a FROM reporting.geographies SETTINGS enable_analyzer = 1", goodRule, nil, []string{panel}},
		"another macro":         {"SELECT $__timeInterval(now())", goodRule, nil, []string{panel, "$__timeInterval"}},
		"an unknown variable":   {"SELECT '${region}'", goodRule, nil, []string{panel, "${region}"}},
		"an unknown format":     {"SELECT '${place:json}'", goodRule, nil, []string{panel, "json"}},
		"outside the time":      {"SELECT 1 AS one WHERE $__timeFilter(now() - 91 * 86400)", goodRule, nil, []string{panel, "nothing to show"}},
		"only for the place":    {"SELECT 1 AS one WHERE '$place' = 'S1'", goodRule, one, []string{panel + " (P1)", "nothing to show"}},
		"a rule's error":        {ok, "SELECT nothing", nil, []string{rule, "nothing"}},
		"a rule without rows":   {ok, goodRule + " WHERE false", nil, []string{rule, "no rows"}},
		"a geography missing":   {ok, goodRule + " WHERE code != 'P2'", nil, []string{rule, "rows of 2 places and systems, of 3"}},
		"two numbers":           {ok, "SELECT *, 1 AS one FROM reporting.alerts", nil, []string{rule, "column one is UInt8"}},
		"a time":                {ok, "SELECT *, now() AS at FROM reporting.alerts", nil, []string{rule, "column at is DateTime"}},
		"no number":             {ok, "SELECT * EXCEPT points FROM reporting.alerts", nil, []string{rule, "one number"}},
		"no sentence":           {ok, "SELECT * EXCEPT sentence FROM reporting.alerts", nil, []string{rule, "a sentence"}},
		"an empty sentence":     {ok, "SELECT * REPLACE '' AS sentence FROM reporting.alerts", nil, []string{rule, "no sentence in the row of programme=flu, season=2026-27, code=P1"}},
		"labels twice":          {ok, goodRule + " UNION ALL SELECT * REPLACE 'Other.' AS sentence FROM reporting.alerts", nil, []string{rule, "two rows are labelled"}},
		"no severity":           {ok, "SELECT * EXCEPT severity FROM reporting.alerts", nil, []string{rule, "severity"}},
		"a null for the number": {ok, "SELECT * REPLACE NULL::Nullable(Float64) AS points FROM reporting.alerts", nil, []string{rule, "no number in the row"}},
		"nobody widens":         {ok, "SELECT * REPLACE 0::Float64 AS points FROM reporting.alerts", one, []string{rule, "does not fire for flu in One"}},
		"another one widens":    {ok, "SELECT * REPLACE 1::Float64 AS points FROM reporting.alerts", one, []string{rule, "Two does not., which is not of flu in One"}},
		"another programme":     {ok, "SELECT * REPLACE 'checks' AS programme FROM reporting.alerts", one, []string{rule, "One widens., which is not of flu in One"}},
		"not the demo":          {ok, goodRule, &Expected{"flu", "Northmoor"}, []string{"0 places called Northmoor"}},
	} {
		t.Run(name, func(t *testing.T) {
			said, err := check(t, c.panel, c.rule, c.expected)
			if !errors.Is(err, ErrFound) {
				t.Errorf("%v", err)
			}
			for _, text := range c.says {
				if !strings.Contains(said, text) {
					t.Errorf("does not say %q: %s", text, said)
				}
			}
		})
	}
	run("TRUNCATE TABLE reporting.seasons")
	if said, err := check(t, ok, goodRule, nil); !errors.Is(err, ErrFound) || !strings.Contains(said, `variable programme: has no values`) {
		t.Errorf("%v: %s", err, said)
	}
}

// The system that a place lies in may widen with it.
func TestASystemMayWidenWithItsPlace(t *testing.T) {
	reporting(t)
	said, err := check(t, strings.Replace(goodPanel, "now()", "now() - 60", 1), "SELECT * REPLACE if(code = 'P2', 0, 1)::Float64 AS points FROM reporting.alerts", &Expected{"flu", "One"})
	if err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

// Every rule of the places' group is quiet elsewhere, whatever it looks for; rules about the feed may fire.
func TestOtherRulesFireNowhereElse(t *testing.T) {
	reporting(t)
	for _, c := range []struct{ group, sql, says string }{
		{placesGroup, goodRule, ""},
		{placesGroup, "SELECT * REPLACE 0::Float64 AS points FROM reporting.alerts", ""},
		{placesGroup, "SELECT * REPLACE if(code = 'P2', 0, 1)::Float64 AS points FROM reporting.alerts", ""},
		{placesGroup, "SELECT * REPLACE if(code = 'P2', 1, 0)::Float64 AS points FROM reporting.alerts", "fires for Two does not., which is not of flu in One"},
		{placesGroup, "SELECT * REPLACE 'checks' AS programme FROM reporting.alerts", "fires for One widens., which is not of flu in One"},
		{"gapwatch-feed", "SELECT * REPLACE 1::Float64 AS points FROM reporting.alerts", ""},
	} {
		var out bytes.Buffer
		k := checker{store: clickhouse{enginetest.URL(t)}, out: &out, now: time.Now(), expected: &Expected{"flu", "One"}}
		err := k.run(t.Context(), nil, groupOf(t, c.group, "gapwatch-other", c.sql))
		if errors.Is(err, ErrFound) != (c.says != "") || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s, %s: %v: %s", c.group, c.sql, err, out.String())
		}
	}
}

func TestAStopIsNoFinding(t *testing.T) {
	reporting(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	c := checker{store: clickhouse{enginetest.URL(t)}, out: &bytes.Buffer{}, now: time.Now()}
	if err := c.run(ctx, []dashboards.Dashboard{dashboardOf(t, goodPanel)}, groupOf(t, "gapwatch-x", widening, goodRule)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestReadTime(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{"now": "2026-11-22 12:00", "now-6h": "2026-11-22 06:00", "now-30m": "2026-11-22 11:30", "now-90d": "2026-08-24 12:00",
		"now-2w": "2026-11-08 12:00", "now-1M": "2026-10-22 12:00", "now-2y": "2024-11-22 12:00"} {
		if got, err := readTime(text, now); err != nil || got.Format("2006-01-02 15:04") != want {
			t.Errorf("%s is %v (%v)", text, got, err)
		}
	}
	for _, text := range []string{"", "yesterday", "now+1d", "now/d"} {
		if _, err := readTime(text, now); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

func TestInterpolate(t *testing.T) {
	got, err := interpolate(`SELECT ${a:sqlstring}, '$a', '${a}', ${a:raw}, '$1 $', $__timeFilter(at), $__fromTime, $__toTime`, map[string]string{"a": "it's"})
	if want := `SELECT 'it''s', 'it's', 'it's', it's, '$1 $', $__timeFilter(at), $__fromTime, $__toTime`; got != want || err != nil {
		t.Errorf("%s (%v)", got, err)
	}
	from := time.Unix(100, 0)
	if got, want := macros("$__timeFilter(toDateTime(day)) $__timeFilter(at) $__fromTime $__toTime", span{from, from.Add(time.Second)}),
		"toDateTime(day) >= toDateTime(100) AND toDateTime(day) <= toDateTime(101) at >= toDateTime(100) AND at <= toDateTime(101) toDateTime(100) toDateTime(101)"; got != want {
		t.Errorf("%s", got)
	}
}
