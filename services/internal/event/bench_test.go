package event_test

import (
	"testing"

	"gapwatch/services/internal/event"
)

func BenchmarkDecode(b *testing.B) {
	d := newDecoder(b)
	payload := []byte(typical)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, rejection := d.Decode(typicalSubject, payload); rejection != nil {
			b.Fatal(rejection)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkAppend(b *testing.B) {
	e := mustDecode(b, newDecoder(b), []byte(typical))
	buffer := event.Encode(&e)
	b.ReportAllocs()
	for b.Loop() {
		buffer = event.Append(buffer[:0], &e)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkHoldsNHSNumber(b *testing.B) {
	payload := []byte(typical)
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if event.HoldsNHSNumber(payload) {
			b.Fatal("found one")
		}
	}
}
