package standalone_test

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/grafana/grafanatest"
	"gapwatch/services/internal/provision"
	"gapwatch/services/internal/standalone"
)

var described = regexp.MustCompile(`fqName: "(gapwatch_\w+)".*variableLabels: \{([^}]*)\}`)

// TestMetricsAreDocumented compares the table of deploy/METRICS.md with what all services register, both ways.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../deploy/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(gapwatch_\\w+)` \\| ([^|]*)\\| (.+) \\|$").FindAllStringSubmatch(string(text), -1) {
		if _, twice := documented[row[1]]; twice {
			t.Errorf("%s stands there twice", row[1])
		}
		documented[row[1]] = strings.TrimSpace(row[2])
	}

	c := config(t, t.TempDir())
	c.Intake.Listen, c.IntakeTuning.Concurrent = "127.0.0.1:0", 4
	c.Provisioner = provision.Settings{GrafanaURL: strings.Replace(grafanatest.New(t).URL, "http://", "http://admin:admin@", 1), GrafanaEvery: time.Hour}.Wanted
	registered := map[string]string{}
	if err := standalone.Run(t.Context(), c, func(_ context.Context, s *standalone.System) error {
		descriptions := make(chan *prometheus.Desc)
		go func() {
			s.Telemetry.Registry.Describe(descriptions)
			close(descriptions)
		}()
		for d := range descriptions {
			if m := described.FindStringSubmatch(d.String()); m != nil {
				labels := strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' })
				slices.Sort(labels)
				registered[m[1]] = strings.Join(labels, ", ")
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for name, labels := range documented {
		sorted := strings.Split(labels, ", ")
		slices.Sort(sorted)
		documented[name] = strings.Join(sorted, ", ")
	}
	if diff := cmp.Diff(registered, documented); diff != "" {
		t.Errorf("registered (-) and documented (+):\n%s", diff)
	}
}
