package admit_test

import (
	"syscall"
	"testing"
	"time"

	"gapwatch/services/internal/admit"
)

// What intake can do is bounded by this: two HMACs, the mapping, and the event written and read once.
func BenchmarkAdmit(b *testing.B) {
	cpu := func() time.Duration {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			b.Fatal(err)
		}
		return time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	// What it costs whoever else uses the processor.
	report := func(b *testing.B, before time.Duration) {
		b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
	}
	listed := admit.Scope{Sources: []string{flu().Source}, Programmes: []string{admit.Any}}
	for name, s := range map[string]admit.Submission{"flu": flu(), "mmr": mmr(), "pressure": pressure()} {
		b.Run(name, func(b *testing.B) {
			d := newDoor(b)
			b.ReportAllocs()
			defer report(b, cpu())
			for b.Loop() {
				if r, problem := d.Admit(&s, listed); problem != nil || !r.Publish || r.NoProgramme {
					b.Fatal(problem, r.Why)
				}
			}
		})
	}
	b.Run("key change", func(b *testing.B) {
		d, s := newDoor(b), flu()
		d.Keys = keysOf(b, "k2", "k1")
		b.ReportAllocs()
		defer report(b, cpu())
		for b.Loop() {
			if _, problem := d.Admit(&s, listed); problem != nil {
				b.Fatal(problem)
			}
		}
	})
}
