package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/gap"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/store"
)

// released is the version of the first schema that was released. Its migrations never change.
const released = 7

// The inserts of the released collector, word for word.
const (
	releasedEvents = `INSERT INTO prevention.events (programme, season, person, record_id, time, precedence, stream, sequence, status, day,
		dose, lsoa, ethnicity, practice, provider, plus, previous, person_key, source, record, received)`
	releasedHandled = `INSERT INTO prevention.handled (stream, sequence, outcome, reason, field)`
)

func asReleased(t *testing.T, conn driver.Conn, rows []collect.Row) {
	t.Helper()
	events, err := conn.PrepareBatch(t.Context(), releasedEvents)
	if err != nil {
		t.Fatal(err)
	}
	handled, err := conn.PrepareBatch(t.Context(), releasedHandled)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := events.Append(r.Programme, r.Season, uuid.UUID(r.Person), uuid.UUID(r.RecordID), time.UnixMicro(r.Version.Micros).UTC(), r.Version.Precedence, r.Stream, r.Sequence,
			r.Status.String(), r.Day.Time(), r.Dose, r.LSOA, r.Ethnicity, r.Practice, r.Provider, r.Plus, uuid.UUID(r.Previous), r.PersonKey, r.Source, r.Record, r.Received); err != nil {
			t.Fatal(err)
		}
		if err := handled.Append(r.Stream, r.Sequence, "stored", "", ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := events.Send(); err != nil {
		t.Fatal(err)
	}
	if err := handled.Send(); err != nil {
		t.Fatal(err)
	}
}

func asNow(t *testing.T, conn driver.Conn, rows []collect.Row) {
	t.Helper()
	var handled []collect.HandledRow
	for _, r := range rows {
		handled = append(handled, collect.HandledRow{Stream: r.Stream, Sequence: r.Sequence, Outcome: collect.Stored})
	}
	if err := collect.InsertRows(t.Context(), conn, rows); err != nil {
		t.Fatal(err)
	}
	if err := collect.InsertHandled(t.Context(), conn, handled); err != nil {
		t.Fatal(err)
	}
}

// sentRows are events of a few people, corrected, retracted and linked.
func sentRows(t *testing.T, set *programme.Set, country *cases.Country, n int) []collect.Row {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 7))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	decoder := event.Decoder{Programmes: set, Now: time.Now}
	var rows []collect.Row
	for i := range n {
		p, day := "flu-65", pick("2024-10-03", "2024-12-01", "2025-11-01")
		if i%2 == 0 {
			p, day = "bp-check", pick("2024-10-03", "2025-12-01", "2025-03-01")
		}
		e := cases.Event{Record: fmt.Sprint(rng.IntN(n / 3)), Person: pick("a", "b", "c", "d", "e", "f"), On: day, Made: fmt.Sprintf("2026-01-02T00:00:%02dZ", i%60),
			Area: pick("", "north-1", "north-5", "south-5"), Ethnicity: pick("", "A"), Practice: pick("", "SYN001"), Status: pick("", "", "entered-in-error"), Correction: i%3 == 0}
		if i%11 == 0 && e.Person == "a" {
			e.Also = "b"
		}
		c := cases.Case{Title: "upgrade", Programme: p, Events: []cases.Event{e}}
		subject, _, payload, err := c.Message(country, set, 0)
		if err != nil {
			t.Fatal(err)
		}
		decoded, rejection := decoder.Decode(subject, payload)
		if rejection != nil {
			t.Fatal(rejection)
		}
		rows = append(rows, collect.Row{Event: decoded, Stream: 1_700_000_000_000_000_000, Sequence: uint64(i + 1), Received: time.Now()})
	}
	return rows
}

// numbers are all counts of a store and a sum over all measures that follow from them.
func numbers(t *testing.T, conn driver.Conn, set *programme.Set) (cells map[string]map[rollup.Cell]rollup.Counts, measures string) {
	t.Helper()
	a, err := rollup.New(rollup.Config{ClickHouse: conn, Programmes: set})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result, err := a.Audit(t.Context()); err != nil || result.Mismatches > 0 {
		t.Fatalf("audit: %+v, %v", result, err)
	}
	cells = map[string]map[rollup.Cell]rollup.Counts{}
	for _, p := range set.Programmes {
		cells[p.ID] = map[rollup.Cell]rollup.Counts{}
		if err := rollup.ReadCells(t.Context(), conn, p.ID, func(c rollup.Cell, n rollup.Counts) error {
			cells[p.ID][c] = n
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	k, err := gap.New(gap.Config{ClickHouse: conn, Programmes: set, Settle: -1, Now: func() time.Time { return calendar.Date(2026, 3, 1).Time() }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	var rows, sum uint64
	if err := conn.QueryRow(t.Context(), "SELECT count(), sum(content) FROM prevention.gap_days FINAL").Scan(&rows, &sum); err != nil || rows == 0 {
		t.Fatalf("%d rows of measures: %v", rows, err)
	}
	return cells, fmt.Sprint(rows, " rows, ", sum)
}

// TestUpgrade fills the first released schema as its collector did, upgrades it with a collector of that release still
// running, goes on with the present one, and wants what a new store gives.
func TestUpgrade(t *testing.T) {
	ctx := context.Background()
	full, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	flu, _ := full.Get("flu-65")
	bp, _ := full.Get("bp-check")
	set := programme.NewSet(full.Edition, flu, bp)
	set.SHA256 = full.SHA256
	_, country, err := cases.Read()
	if err != nil {
		t.Fatal(err)
	}
	rows := sentRows(t, full, country, 150)

	old := enginetest.New(t).URL()
	migrateTo(t, old, released)
	upgraded := open(t, old).conn
	if err := country.Insert(ctx, upgraded, 1); err != nil {
		t.Fatal(err)
	}
	asReleased(t, upgraded, rows[:80])
	if err := store.Migrate(ctx, old); err != nil {
		t.Fatal(err)
	}
	asReleased(t, upgraded, rows[80:100])
	asNow(t, upgraded, rows[100:])

	url := enginetest.New(t).URL()
	if err := store.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	fresh := open(t, url).conn
	if err := country.Insert(ctx, fresh, 1); err != nil {
		t.Fatal(err)
	}
	asNow(t, fresh, rows)

	cells, measures := numbers(t, upgraded, set)
	wantCells, wantMeasures := numbers(t, fresh, set)
	if diff := cmp.Diff(wantCells, cells); diff != "" || len(cells["flu-65"]) == 0 || len(cells["bp-check"]) == 0 {
		t.Errorf("new (-) and upgraded (+):\n%s", diff)
	}
	if measures != wantMeasures {
		t.Errorf("measures: %s, in a new store %s", measures, wantMeasures)
	}
	if err := store.Migrate(ctx, old); err != nil {
		t.Errorf("again: %v", err)
	}
}
