package rollup_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
	"gapwatch/services/internal/rollup"
)

// once is a checkpoint that does something the first time that one is passed.
func once(name string, do func()) func(string) error {
	return func(at string) error {
		if f := do; at == name && f != nil {
			do = nil
			f()
		}
		return nil
	}
}

// One aggregator is overtaken by a full recompute of another between what it reads, writes and publishes. Nothing of what it
// still does may be seen, or be built upon.
func TestWhatAnOvertakenRunDoesIsNotSeen(t *testing.T) {
	b := newBench(t)
	c := cases.Case{Title: "overtaken", Programme: "flu-65", Events: []cases.Event{
		{Record: "0", Person: "z", On: "2024-10-12", Area: "north-1"},
		{Record: "1", Person: "a", On: "2024-10-10", Area: "south-1", Made: "2024-11-01T00:00:00Z"},
		{Record: "1", Person: "a", On: "2024-10-10", Area: "south-1", Made: "2024-11-02T00:00:00Z", Status: "entered-in-error"},
		{Record: "2", Person: "b", On: "2024-10-11", Area: "north-1"},
		{Record: "3", Person: "c", On: "2024-10-11", Area: "south-1"}}}
	jab, late, retraction, other, there := b.decode(&c, 0), b.decode(&c, 1), b.decode(&c, 2), b.decode(&c, 3), b.decode(&c, 4)
	flu, _ := b.set.Get("flu-65")
	only := programme.NewSet(b.set.Edition, flu) // the other programmes are empty, and only take time
	only.SHA256 = b.set.SHA256
	steps := func(c *rollup.Config) { c.Programmes = only }
	recomputes := func(c *rollup.Config) { c.Programmes, c.Backlog, c.Patience = only, 1, time.Nanosecond }
	// overtaken runs an aggregator that another one overtakes at a checkpoint.
	overtaken := func(kind func(*rollup.Config), at string, by func()) {
		b.tick(b.aggregator(func(c *rollup.Config) {
			kind(c)
			c.Checkpoint = once(at, by)
		}))
	}
	load := uint32(50)
	rename := func(from, to string) {
		for name, area := range b.country.Areas {
			if area.Place == from {
				area.Place = to
				b.country.Areas[name] = area
			}
		}
		load++
		b.loadAreas(load)
	}
	for name, run := range map[string]func(fast *rollup.Aggregator){
		"a step, in a slice that is new": func(fast *rollup.Aggregator) {
			b.put(late)
			overtaken(steps, "cells", func() { b.put(retraction); b.tick(fast) })
		},
		"a step, in a slice that is known": func(fast *rollup.Aggregator) {
			b.put(there)
			b.tick(fast)
			b.put(late)
			overtaken(steps, "cells", func() { b.put(retraction); b.tick(fast) })
			b.put(other)
			b.tick(b.aggregator(steps))
		},
		"a recompute": func(fast *rollup.Aggregator) {
			b.put(late)
			overtaken(recomputes, "cells", func() { b.put(retraction); b.tick(fast) })
			b.put(other)
			b.tick(b.aggregator(steps))
		},
		"a recompute under older areas": func(fast *rollup.Aggregator) {
			b.put(there)
			b.tick(fast)
			rename("Southby", "Middle")
			overtaken(steps, "published", func() { rename("Middle", "Southby"); b.tick(fast) })
		},
		"a step under an older generation": func(fast *rollup.Aggregator) {
			conn := &between{Conn: b.conn, query: "-- How far each programme is published", do: func() {
				if _, err := reference.RegisterRepair(context.Background(), b.conn, "flu-65"); err != nil {
					t.Fatal(err)
				}
				b.tick(fast)
				b.put(late)
			}}
			slow := b.aggregator(func(c *rollup.Config) { c.Programmes, c.ClickHouse = only, conn })
			b.tick(slow)
			b.put(other)
			b.tick(b.aggregator(steps))
		},
		"an audit under older areas": func(fast *rollup.Aggregator) {
			conn := &between{Conn: b.conn, query: "SELECT season, place, id, base"}
			slow := b.aggregator(func(c *rollup.Config) { c.Programmes, c.ClickHouse = only, conn })
			b.tick(slow)
			conn.do = func() { rename("Northmoor", "Newmoor"); b.tick(fast) }
			if result, err := slow.Audit(context.Background()); err != nil || result.Mismatches != 0 {
				t.Errorf("the audit: %+v, %v", result, err)
			}
			rename("Newmoor", "Northmoor")
			b.tick(fast)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b.empty()
			b.put(jab)
			fast := b.aggregator(recomputes)
			b.tick(fast)
			run(fast)
			seen := b.cells("flu-65")
			b.exec("TRUNCATE TABLE prevention.uptake_months")
			b.exec("TRUNCATE TABLE prevention.published")
			b.tick(b.aggregator(recomputes))
			if diff := cmp.Diff(b.cells("flu-65"), seen); diff != "" {
				t.Errorf("published, and what it should be:\n%s", diff)
			}
		})
	}
}

// A look at the cells sees all of a publication or nothing of it, also if it begins just before.
func TestAReadSeesAPublicationWhole(t *testing.T) {
	b := newBench(t)
	done := make(chan error)
	ctx, stop := context.WithCancel(t.Context())
	publish := func(id int) error {
		for _, statement := range []string{
			"INSERT INTO prevention.uptake_months (programme, season, place, level, month, id, days.day, days.newly, days.lapsed, days.moved_in, days.moved_out) " +
				"SELECT 'flu-65', '2024-25', 'P', 'neighbourhood', '2024-10-01', %d, [3], [7], [0], [0], [0]",
			"INSERT INTO prevention.published (programme, season, place, id, base, floor) SELECT 'flu-65', c.1, c.2, %[1]d, %[1]d, if(c.1 = '', %[1]d, 0) FROM (SELECT arrayJoin([('', ''), ('2024-25', 'P')]) AS c)",
		} {
			if err := b.conn.Exec(ctx, fmt.Sprintf(statement, id)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := publish(1); err != nil {
		t.Fatal(err)
	}
	go func() {
		for id := 2; ctx.Err() == nil; id++ {
			if err := publish(id); err != nil && ctx.Err() == nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for range 400 {
		var newly uint64
		if err := b.conn.QueryRow(t.Context(), "SELECT sum(newly) FROM prevention.uptake_now WHERE programme = 'flu-65'").Scan(&newly); err != nil {
			t.Fatal(err)
		}
		if newly != 7 {
			t.Errorf("%d people are seen, want 7", newly)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
