package standalone_test

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gapwatch/services/internal/aggregate"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/intake"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/standalone"
	"gapwatch/services/internal/telemetry"
)

// Whatever runs on a programme file says at start where it is wrong. What it can be wrong in is tested in package
// programme; the loader, which is no part of a standalone Gapwatch, has a test of its own.
func TestAWrongProgrammeFileStopsEveryServiceAtStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "programmes.yaml")
	if err := os.WriteFile(file, []byte("imd: 2025\nprogrammes: flu\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GAPWATCH_PROGRAMMES", file)
	want := file + ":2: programmes: must be a list of at least one"
	for service, start := range map[string]func() error{
		"collector": from(func(s collect.Settings) error {
			_, _, err := collect.Connect(s, telemetry.New(), slog.New(slog.DiscardHandler))
			return err
		}),
		"intake": from(func(s intake.Settings) error {
			_, _, err := intake.Connect(s, telemetry.New(), slog.New(slog.DiscardHandler))
			return err
		}),
		"aggregator": from(func(s aggregate.Settings) error { return aggregate.Run(t.Context(), s) }),
		"audit":      from(func(s aggregate.Settings) error { return aggregate.Audit(t.Context(), s) }),
		"standalone": from(func(s standalone.Settings) error { return standalone.Serve(t.Context(), s, io.Discard) }),
		"simulator": from(func(s struct {
			settings.Programmes
			simulate.Settings
		}) error {
			_, err := s.Make(s.ProgrammeFile, time.Now())
			return err
		}),
	} {
		if err := start(); err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", service, err, want)
		}
	}
}

// from starts something with the settings that the environment says.
func from[S any](start func(S) error) func() error {
	return func() error {
		var s S
		if err := settings.Load(&s); err != nil {
			return err
		}
		return start(s)
	}
}
