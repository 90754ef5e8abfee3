package inequality_test

import (
	"testing"

	"gapwatch/services/internal/inequality"
)

var sink inequality.Measures

func BenchmarkOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sink = inequality.Of(flu, 100)
	}
}

// It runs for every place, day and programme, so it leaves nothing for the garbage collector.
func TestOfAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { sink = inequality.Of(flu, 100) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
