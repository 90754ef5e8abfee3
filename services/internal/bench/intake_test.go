package bench

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/pseudonym"
)

// TestIntake runs the measurement of the door with few events: each kind of body is accepted as a whole, every event of it
// comes into the stream (the measurement itself sees to that), and each figure is there.
func TestIntake(t *testing.T) {
	result, err := Run(t.Context(), Config{Dir: t.TempDir(), OnlyIntake: true, IntakeEvents: 300, IntakeFor: time.Second,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	const kinds = "cloudevents csv csv_nhs fhir"
	for name, of := range map[string]map[string]float64{"PerS": result.PerS, "OfPublish": result.OfPublish, "SyncAlwaysOfPublish": result.SyncAlwaysOfPublish} {
		if got := strings.Join(slices.Sorted(maps.Keys(of)), " "); got != kinds {
			t.Errorf("%s is of %s", name, got)
		}
		for kind, figure := range of {
			if figure <= 0 {
				t.Errorf("%s of %s is %v", name, kind, figure)
			}
		}
	}
	if result.PublishPerS <= 0 || result.SyncPublishPerS <= 0 || result.SinglePerS <= 0 || result.P99MS <= 0 || result.SustainedPerS <= 0 || result.HeapGrowthMB == nil || result.HeapMostMB <= 0 {
		t.Errorf("figures are missing: %+v", result)
	}
}

// TestBodies makes sure that the people of the bodies are different ones whose numbers are right.
func TestBodies(t *testing.T) {
	seen := map[string]bool{}
	for i := range 100_000 {
		number := nhsNumber(i)
		if _, err := pseudonym.ParseNHSNumber(number); err != nil {
			t.Fatalf("%s: %v", number, err)
		}
		seen[number] = true
	}
	if len(seen) < 90_000 {
		t.Errorf("%d people", len(seen))
	}
}
