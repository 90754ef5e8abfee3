package rollup_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/rollup"
)

// What an audit finds wrong on its way to what it compares is measured and mended like what it finds by comparing.
func TestAnAuditMendsWhatItsOwnStepCannotAddTo(t *testing.T) {
	b := newBench(t)
	b.only(b.flu())
	c := cases.Case{Title: "retracted", Programme: "flu-65", Events: []cases.Event{
		{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1", Made: "2024-11-01T00:00:00Z"},
		{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1", Made: "2024-11-02T00:00:00Z", Status: "entered-in-error"}}}
	b.put(b.decode(&c, 0))
	b.tick(b.aggregator(nil))
	b.exec("DELETE FROM prevention.uptake_months WHERE level = 'pcn'")
	b.put(b.decode(&c, 1))
	registry := prometheus.NewRegistry()
	a := b.aggregator(func(c *rollup.Config) { c.Registry = registry })
	if result, err := a.Audit(t.Context()); err == nil {
		t.Fatalf("%+v: want an error, a count would fall below 0", result)
	}
	if told := metric(t, registry, "gapwatch_aggregator_audit_mismatches_total"); told != 1 {
		t.Errorf("the metric says %v, want 1", told)
	}
	b.audit(a)
	if cells := b.cells("flu-65"); len(cells) != 0 {
		t.Errorf("%v", cells)
	}
}

// An audit with another programme file, as without the variable that names it, would recount everything by that.
func TestAnAuditByAnotherProgrammeFileChangesNothing(t *testing.T) {
	b := newBench(t)
	b.only(b.flu())
	c := cases.Case{Title: "audit", Programme: "flu-65", Events: []cases.Event{
		{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1"}, {Record: "2", Person: "b", On: "2024-10-10", Area: "north-1"}}}
	b.put(b.decode(&c, 0))
	live := b.aggregator(nil)
	b.tick(live)
	before := b.cells("flu-65")
	other := *b.set
	other.SHA256 = "another file"
	b.put(b.decode(&c, 1))
	if _, err := b.aggregator(func(c *rollup.Config) { c.Programmes = &other }).Audit(t.Context()); !errors.Is(err, rollup.ErrOtherProgrammes) {
		t.Errorf("got %v, want ErrOtherProgrammes", err)
	}
	if diff := cmp.Diff(before, b.cells("flu-65")); diff != "" {
		t.Error(diff)
	}
	if result := b.tick(live); result.Full != 0 {
		t.Errorf("%+v: counted afresh", result)
	}
	b.audit(b.aggregator(nil)) // by the same file
	b.audit(live)
}
