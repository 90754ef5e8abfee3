package admit_test

import (
	"testing"

	"gapwatch/services/internal/admit"
)

// What intake can do is bounded by this: two HMACs, the mapping, and the event written and read once.
func BenchmarkAdmit(b *testing.B) {
	for name, s := range map[string]admit.Submission{"flu": flu(), "mmr": mmr(), "pressure": pressure()} {
		b.Run(name, func(b *testing.B) {
			d := newDoor(b)
			b.ReportAllocs()
			for b.Loop() {
				if r, problem := d.Admit(&s, everything); problem != nil || !r.Publish || r.NoProgramme {
					b.Fatal(problem, r.Why)
				}
			}
		})
	}
	b.Run("key change", func(b *testing.B) {
		d, s := newDoor(b), flu()
		d.Keys = keysOf(b, "k2", "k1")
		b.ReportAllocs()
		for b.Loop() {
			if _, problem := d.Admit(&s, everything); problem != nil {
				b.Fatal(problem)
			}
		}
	})
}
