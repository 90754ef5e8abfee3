package rollup_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/reference"
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

// Each generation writes the eligible people again. What is of the past goes at the second audit that finds it so: a query
// that began before the first one can have been reading it.
func TestEligiblePeopleOfThePastAreRemovedOneAuditLater(t *testing.T) {
	b := newBench(t)
	b.only(b.flu())
	c := cases.Case{Title: "eligible", Programme: "flu-65", Events: []cases.Event{{Record: "1", Person: "a", On: "2024-10-10", Area: "north-1"}},
		Eligible: []cases.Eligible{{Season: "2024-25", Since: "2024-10-03", Area: "north-1", People: 100}}}
	if err := b.country.InsertEligible(t.Context(), b.conn, 2, c); err != nil {
		t.Fatal(err)
	}
	b.put(b.decode(&c, 0))
	a := b.aggregator(nil)
	stored := func() (generations, eligible uint64) {
		t.Helper()
		if err := b.conn.QueryRow(t.Context(), `SELECT uniqExact(generation), (SELECT sum(eligible) FROM prevention.eligible_now WHERE level = 'neighbourhood')
			FROM prevention.eligible_cells`).Scan(&generations, &eligible); err != nil {
			t.Fatal(err)
		}
		return generations, eligible
	}
	b.tick(a)
	b.audit(a)
	for range 2 {
		if _, err := reference.RegisterRepair(t.Context(), b.conn, "flu-65"); err != nil {
			t.Fatal(err)
		}
		b.tick(a)
	}
	for audits, want := range []uint64{3, 3, 1} {
		if generations, eligible := stored(); generations != want || eligible != 100 {
			t.Errorf("after %d audits: %d generations, %d people; want %d and 100", audits, generations, eligible, want)
		}
		b.audit(a)
	}
}
