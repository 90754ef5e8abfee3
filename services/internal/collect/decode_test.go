package collect_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/stream"
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

// What is too far ahead when it is published stays a dead letter when it is delivered again later: its position may
// have been counted meanwhile.
func TestMessagesAreJudgedAsOfWhenTheyCame(t *testing.T) {
	r := newRig(t, stream.Options{})
	r.publish(r.sample(0)) // made an hour before noon
	consumer, err := collect.EnsureConsumer(t.Context(), r.js, time.Minute, 10)
	if err != nil {
		t.Fatal(err)
	}
	fetched, err := collect.Fetch(consumer, 1, 1<<20, 10*time.Second)
	if err != nil || len(fetched) != 1 {
		t.Fatalf("%d messages, %v", len(fetched), err)
	}
	for _, c := range []struct {
		received time.Time
		rows     int
	}{{noon.Add(-2 * time.Hour), 0}, {noon, 1}} {
		messages := []collect.Message{{Msg: fetched[0], Received: c.received}}
		rows := collect.Decode(&event.Decoder{Programmes: r.programmes}, messages, 1)
		if len(rows) != c.rows {
			t.Errorf("received %v: %d rows, want %d (%v)", c.received, len(rows), c.rows, messages[0].Rejection)
		}
	}
}

func uuidText(id [16]byte) string { return uuid.UUID(id).String() }
