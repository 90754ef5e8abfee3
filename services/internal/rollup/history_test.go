package rollup_test

import (
	"testing"
	"time"

	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/event"
)

// A sender that has one pseudonym for everybody it does not know must hold nobody up: a step looks at all records of a
// person for each that comes in, a full recompute once.
func TestOnePersonOfManyRecordsIsCountedInFull(t *testing.T) {
	b := newBench(t)
	check, _ := b.set.Get("bp-check")
	b.only(b.flu(), check)
	at := func(programme, record, person string, day time.Time) event.Event {
		return b.decode(&cases.Case{Title: "many", Programme: programme, Events: []cases.Event{
			{Record: record, Person: person, On: day.Format(time.DateOnly), Area: "north-1"}}}, 0)
	}
	day := time.Date(2024, 10, 10, 0, 0, 0, 0, time.UTC)
	b.put(at("flu-65", "0", "a", day), at("bp-check", "0", "a", day))
	a := b.aggregator(nil)
	b.tick(a)
	events := []event.Event{at("flu-65", "1", "b", day)}
	one := at("bp-check", "1", "unknown", day)
	for i := range 1_100 {
		one.RecordID[0], one.RecordID[1] = byte(i), byte(i>>8)
		one.Day--
		if i%300 == 0 {
			one.Day += 300
		}
		events = append(events, one)
	}
	b.put(events...)
	if result := b.tick(a); result.Full != 1 || result.At.Sequence != b.sequence {
		t.Errorf("%+v: want a full recompute of bp-check, a step of flu-65", result)
	}
	one.RecordID[2]++
	b.put(one, at("flu-65", "2", "c", day))
	if result := b.tick(a); result.Full != 0 || result.Slices != 1 || !result.Waiting {
		t.Errorf("%+v: want a step of flu-65, while bp-check rests", result)
	}
	b.audit(a)
	b.put(at("bp-check", "2", "unknown", day.AddDate(0, 2, 0)), at("bp-check", "3", "c", day))
	if result := b.tick(a); result.Full != 0 {
		t.Errorf("%+v: want a step, one more record of many is soon looked at", result)
	}
	b.audit(a)
}
