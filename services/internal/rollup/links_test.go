package rollup_test

import (
	"testing"

	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/reference"
)

// Links of people who were removed go from memory as well: an aggregator that ran on counts what one that starts counts.
func TestLinksThatWereRemovedAreForgotten(t *testing.T) {
	b := newBench(t)
	check, _ := b.set.Get("bp-check")
	b.only(b.flu(), check)
	c := cases.Case{Title: "links", Programme: "flu-65", Events: []cases.Event{
		{Record: "0", Person: "new", Also: "old", On: "2024-10-12", Area: "north-1"},
		{Record: "1", Person: "new", On: "2024-10-12", Area: "north-1"}, {Record: "2", Person: "old", On: "2024-10-12", Area: "north-1"}}}
	b.put(b.decode(&c, 0))
	a := b.aggregator(nil)
	b.tick(a)
	for _, table := range []string{"events", "records", "links"} { // as erase does, and then:
		b.exec("TRUNCATE TABLE prevention." + table)
	}
	if _, err := reference.RegisterRepair(t.Context(), b.conn, "flu-65"); err != nil {
		t.Fatal(err)
	}
	b.tick(a)
	b.put(b.decode(&c, 1), b.decode(&c, 2)) // the systems that sent the records send them again
	b.tick(a)
	b.audit(b.aggregator(nil))
	b.audit(a)
	for cell, n := range b.cells("flu-65") {
		if n.Newly != 2 {
			t.Errorf("%+v: %+v, want two people", cell, n)
		}
	}
}
