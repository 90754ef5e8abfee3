package event_test

import (
	"testing"
	"time"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

// typical is an event of about the size that senders make.
const typical = `{"specversion":"1.0","id":"0f8fad5b-d9cb-469f-a165-70867728950e","source":"https://pharmacy.example.nhs.uk/systems/12","type":"uk.nhs.prevention.vaccination.v1","time":"2026-11-20T09:31:22.123456Z","datacontenttype":"application/json","data":{"record":"7c9e6679-7425-40de-944b-e07fc1f90ae7","status":"completed","person":"9b74c9897bac770ffc029102a200c5de","personKey":"2026-1","programme":"flu-65","occurredAt":"2026-11-20T09:30:00Z","lsoa":"E01000001","ethnicity":"A","practice":"A81001","provider":"FA123","plus":["smi"]}}`

func BenchmarkDecode(b *testing.B) {
	set, err := programme.Load("")
	if err != nil {
		b.Fatal(err)
	}
	d := &event.Decoder{Programmes: set, Now: time.Now}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	d.Now = func() time.Time { return now }
	payload := []byte(typical)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, rejection := d.Decode("prevention.events.vaccination.flu-65", payload); rejection != nil {
			b.Fatal(rejection)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
