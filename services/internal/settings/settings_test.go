package settings

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

type example struct {
	Service
	NATS
	ClickHouse
	Programmes
	Batch  int           `envconfig:"GAPWATCH_COLLECTOR_BATCH" default:"20000"`
	MaxAge time.Duration `envconfig:"GAPWATCH_COLLECTOR_MAX_AGE" default:"500ms"`
}

func TestLoad(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want []string // parts of the error; none for success
	}{
		{"nothing set", nil, nil},
		{"set", map[string]string{"GAPWATCH_COLLECTOR_BATCH": "7", "GAPWATCH_PROGRAMMES": ""}, nil},
		{"of another service", map[string]string{"GAPWATCH_STREAM_MAX_AGE": "nonsense for us"}, nil},
		{"mistyped", map[string]string{"GAPWATCH_COLECTOR_BATCH": "7", "GAPWATCH_ELSE": "secret"},
			[]string{"GAPWATCH_COLECTOR_BATCH is not a setting of any service; is it GAPWATCH_COLLECTOR_BATCH?", "GAPWATCH_ELSE is not a setting"}},
		{"not a number", map[string]string{"GAPWATCH_COLLECTOR_BATCH": "many"}, []string{`GAPWATCH_COLLECTOR_BATCH is "many", not a whole number`}},
		{"not a duration", map[string]string{"GAPWATCH_COLLECTOR_MAX_AGE": "5"}, []string{`GAPWATCH_COLLECTOR_MAX_AGE is "5", not a duration`}},
		{"negative", map[string]string{"GAPWATCH_COLLECTOR_MAX_AGE": "-5s"}, []string{"GAPWATCH_COLLECTOR_MAX_AGE is -5s: a duration must not be negative"}},
		{"required and empty", map[string]string{"GAPWATCH_NATS_URL": " "}, []string{"GAPWATCH_NATS_URL is required and is empty"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			var got example
			err := Load(&got)
			if len(c.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %q", want, err)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a value: %q", err)
			}
		})
	}
}

func TestLoadTakesDefaultsAndNothingWithoutItsPrefix(t *testing.T) {
	t.Setenv("NATSURL", "nats://wrong")
	t.Setenv("BATCH", "1")
	var got example
	if err := Load(&got); err != nil {
		t.Fatal(err)
	}
	if got.Batch != 20000 || got.MaxAge != 500*time.Millisecond || got.NATSURL != "nats://127.0.0.1:4222" || got.MetricsListen != "127.0.0.1:9464" {
		t.Errorf("%+v", got)
	}
}

func TestLoadRefusesAStructThatIsWrong(t *testing.T) {
	var untagged struct{ Batch int }
	var unlisted struct {
		X string `envconfig:"GAPWATCH_X"`
	}
	for _, spec := range []any{&untagged, &unlisted, untagged} {
		if err := load(spec, os.Environ()); err == nil {
			t.Errorf("%T was taken", spec)
		}
	}
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	logger, err := Service{Log: "json", LogLevel: "warn"}.Logger(&out)
	if err != nil {
		t.Fatal(err)
	}
	logger.Info("quiet")
	logger.Warn("loud")
	if !strings.HasPrefix(out.String(), "{") || strings.Contains(out.String(), "quiet") || !strings.Contains(out.String(), "loud") {
		t.Errorf("%s", &out)
	}
	for _, s := range []Service{{Log: "xml", LogLevel: "info"}, {Log: "text", LogLevel: "loud"}} {
		if _, err := s.Logger(&out); err == nil {
			t.Errorf("%+v was taken", s)
		}
	}
}
