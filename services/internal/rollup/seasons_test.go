package rollup_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rollup"
)

// only is a bench whose programme file has nothing but some programmes: others only take time.
func (b *bench) only(programmes ...*programme.Programme) {
	sum := b.set.SHA256
	b.set = programme.NewSet(b.set.Edition, programmes...)
	b.set.SHA256 = sum
	b.decoder.Programmes = b.set
}

// flu is the bench's programme of seasons.
func (b *bench) flu() *programme.Programme {
	p, _ := b.set.Get("flu-65")
	return p
}

// ClickHouse takes no more than 100 partitions in one insert, and a season is one. A programme may have any number.
func TestAProgrammeMayHaveMoreSeasonsThanAnInsert(t *testing.T) {
	b := newBench(t)
	const seasons = 102
	monthly := *b.flu()
	monthly.Seasons, monthly.Retention = nil, 0
	c := cases.Case{Title: "monthly", Programme: monthly.ID}
	for i := range seasons {
		first := calendar.Date(2015, time.Month(1+i), 1)
		monthly.Seasons = append(monthly.Seasons, programme.Season{ID: first.String()[:7], Start: first, End: first.AddMonths(1) - 1})
		c.Events = append(c.Events, cases.Event{Record: fmt.Sprint(i), Person: "a", On: first.String(), Area: "north-1"})
	}
	b.only(&monthly)
	var events []event.Event
	for i := range c.Events {
		events = append(events, b.decode(&c, i))
	}
	put := func(some []event.Event) {
		for batch := range slices.Chunk(some, 50) {
			b.put(batch...) // a collector cuts its inserts as well
		}
	}
	counted := func(how string) {
		t.Helper()
		cells := b.cells(monthly.ID)
		for c, n := range cells {
			if n != (rollup.Counts{Newly: 1}) {
				t.Errorf("%s: %+v: %+v", how, c, n)
			}
		}
		if len(cells) != seasons*5 { // levels
			t.Errorf("%s: %d cells, want %d", how, len(cells), seasons*5)
		}
	}
	put(events[:1])
	a := b.aggregator(nil)
	b.tick(a)
	put(events[1:])
	if result := b.tick(a); result.Full != 0 {
		t.Fatalf("%+v: want a step", result)
	}
	counted("step")
	b.audit(a)
	b.exec("TRUNCATE TABLE prevention.uptake_months")
	b.exec("TRUNCATE TABLE prevention.published")
	if result := b.tick(a); result.Full != 1 {
		t.Fatalf("%+v: want a full recompute", result)
	}
	counted("full recompute")
}
