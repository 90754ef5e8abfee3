package demo

import (
	"bytes"
	"context"
	"testing"
	"time"

	"gapwatch/dashboards"
	"gapwatch/services/internal/alerting"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/grafanacheck"
	"gapwatch/services/internal/standalone"
)

// checkGrafana asks everything that dashboards and alert rules ask, of a demo in which everything is judged: no query may
// fail or have nothing to show, and of the widening rule only the chosen place fires.
func checkGrafana(ctx context.Context, t *testing.T, s *standalone.System, now time.Time) {
	t.Helper()
	boards, err := dashboards.Load()
	if err != nil {
		t.Fatal(err)
	}
	groups, err := alerting.Load(alerting.Settings{DataSourceUID: "gapwatch-clickhouse", FolderUID: "gapwatch"})
	if err != nil {
		t.Fatal(err)
	}
	if err := until(ctx, func() (all bool, err error) { // the parts are written one after the other
		err = s.ClickHouse.QueryRow(ctx, `SELECT (SELECT count() FROM reporting.behind) > 0 AND (SELECT count() FROM reporting.feed) > 0
			AND (SELECT count() FROM reporting.trajectory) > 0 AND (SELECT count() FROM reporting.neighbourhoods) > 0
			AND (SELECT count() FROM reporting.ethnicity) > 0`).Scan(&all)
		return all, err
	}); err != nil {
		t.Fatal(err)
	}
	expected := grafanacheck.Demo(calendar.Of(now))
	var out bytes.Buffer
	err = grafanacheck.Direct(ctx, grafanacheck.DirectOptions{ClickHouseURL: s.ClickHouseURL, Dashboards: boards, Groups: groups,
		From: now.AddDate(-2, 0, 0), To: time.Now().Add(time.Hour), Expected: &expected, Out: &out})
	t.Logf("%s", &out)
	if err != nil {
		t.Error(err)
	}
}
