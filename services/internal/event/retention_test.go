package event_test

import (
	"testing"
	"time"

	"gapwatch/services/internal/event"
)

// TestSeasonThatIsGone judges an event by when it came in: on the last day of its season's retention, and the moment after
// that in London.
func TestSeasonThatIsGone(t *testing.T) {
	d := newDecoder(t)
	flu, _ := d.Programmes.Get("flu-65")
	if flu.Retention != 60 {
		t.Fatalf("retention %d", flu.Retention)
	}
	late := with(t, nil, object{"occurredAt": "2022-10-03"})
	for at, kept := range map[string]bool{"2028-03-30T12:00:00Z": true, "2028-03-31T22:59:59Z": true, "2028-03-31T23:00:00Z": false, "2028-04-01T12:00:00Z": false} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		e, rejection := d.DecodeAt(subjectOf(late), late, now)
		switch {
		case kept && (rejection != nil || e.Season != "2022-23"):
			t.Errorf("%s: %v", at, rejection)
		case !kept && (rejection == nil || rejection.Reason != event.NoSeason || rejection.Field != "data.occurredAt"):
			t.Errorf("%s: %v", at, rejection)
		}
		if _, rejection := d.DecodeAt(typicalSubject, []byte(typical), now); rejection != nil {
			t.Errorf("%s: a season that is kept: %v", at, rejection)
		}
	}
}
