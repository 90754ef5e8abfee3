package collect_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gapwatch/services/internal/event"
)

// decode is the event as the decoder completes it.
func decode(t *testing.T, r *rig, e *event.Event) event.Event {
	t.Helper()
	decoder := event.Decoder{Programmes: r.programmes, Now: func() time.Time { return noon }}
	decoded, rejection := decoder.Decode(event.Subject(e), event.Encode(e))
	if rejection != nil {
		t.Fatal(rejection)
	}
	return decoded
}

func uuidText(id [16]byte) string { return uuid.UUID(id).String() }
