package event_test

import (
	"encoding/json"
	"testing"
	"time"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

// noon is when every test judges "in the future" by.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newDecoder(t testing.TB) *event.Decoder {
	t.Helper()
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return &event.Decoder{Programmes: set, Now: func() time.Time { return noon }}
}

// typical is an event of about the size that senders make.
const typical = `{"specversion":"1.0","id":"0f8fad5b-d9cb-469f-a165-70867728950e","source":"https://pharmacy.example/systems/12","type":"uk.nhs.prevention.vaccination.v1","time":"2026-11-20T09:31:22.123456Z","datacontenttype":"application/json","data":{"record":"7c9e6679-7425-40de-944b-e07fc1f90ae7","status":"completed","person":"9b74c9897bac770ffc029102a200c5de","personKey":"2026-1","programme":"flu-65","occurredAt":"2026-11-20T09:30:00Z","lsoa":"E01000001","ethnicity":"A","practice":"A81001","provider":"FA123","plus":["smi"]}}`

const typicalSubject = "prevention.events.vaccination.flu-65"

// object is an event as a map, to be changed in ways an event.Event cannot be.
type object = map[string]any

// parsed is typical as a map, with numbers as they are written.
func parsed(t testing.TB, text string) object {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func written(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// with is typical with attributes and members of data changed; a nil value leaves the key out.
func with(t testing.TB, attributes, data object) []byte {
	t.Helper()
	o := parsed(t, typical)
	change(o, attributes)
	if d, ok := o["data"].(object); ok {
		change(d, data)
	}
	return written(t, o)
}

func change(o, by object) {
	for key, value := range by {
		if value == nil {
			delete(o, key)
		} else {
			o[key] = value
		}
	}
}

// subjectOf is the subject that the event itself names, right or not.
func subjectOf(payload []byte) string {
	var e struct {
		Type string
		Data struct{ Programme string }
	}
	_ = json.Unmarshal(payload, &e) // what cannot be read names none
	return event.Subject(&event.Event{Type: e.Type, Programme: e.Data.Programme})
}

// mustDecode is an event that has to be accepted.
func mustDecode(t testing.TB, d *event.Decoder, payload []byte) event.Event {
	t.Helper()
	e, rejection := d.Decode(subjectOf(payload), payload)
	if rejection != nil {
		t.Fatalf("rejected: %v\n%s", rejection, payload)
	}
	return e
}
