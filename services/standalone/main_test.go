package main

import (
	"os"
	"regexp"
	"testing"

	"gapwatch/services/internal/settings"
)

// .env.example lists every setting, and nothing else.
func TestEnvExample(t *testing.T) {
	text, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{"GAPWATCH_REAL_DATA": true, "GAPWATCH_TEST_GRAFANA": true} // of tests only
	for _, m := range regexp.MustCompile(`(?m)^#(GAPWATCH_[A-Z_]+)=`).FindAllStringSubmatch(string(text), -1) {
		listed[m[1]] = true
		if !settings.Known(m[1]) {
			t.Errorf("%s is no setting", m[1])
		}
	}
	for _, n := range settings.Names {
		if !listed[n.Name] {
			t.Errorf("%s is missing", n.Name)
		}
	}
}

// The settings of everything that runs in one process fit together.
func TestSettingsLoad(t *testing.T) {
	var env environment
	if err := settings.Load(&env); err != nil {
		t.Fatal(err)
	}
	if env.NATSListen != "127.0.0.1:4222" || env.ClickHouseListen != "127.0.0.1:8123" || env.MetricsListen != "127.0.0.1:9464" || !env.NATSSyncAlways {
		t.Errorf("%+v", env)
	}
}
