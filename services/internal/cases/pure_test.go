package cases_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/uptake"
)

func read(t *testing.T) ([]cases.Case, *cases.Country, *programme.Set) {
	t.Helper()
	all, country, err := cases.Read()
	if err != nil {
		t.Fatal(err)
	}
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.Programmes {
		p.Retention = 0 // it is no rule of counting, and the cases stay when the seasons that they are of are gone
	}
	return all, country, set
}

// TestCountingRules runs every case against the counting rules alone.
func TestCountingRules(t *testing.T) {
	all, country, set := read(t)
	for _, c := range all {
		for _, order := range c.Orders() {
			changes := count(t, &c, country, set, order)
			people := map[string]uint64{}
			for _, e := range c.Eligible {
				people[country.Areas[e.Area].LSOA] += uint64(e.People)
			}
			fifths := area.NewFifths(country.Index(), people)
			if err := c.Check(set, func(programme, level, season string, day calendar.Day, want cases.Count) cases.Counts {
				return answer(changes[programme], country.Index(), fifths, level, season, day, want, want.Eligible)
			}); err != nil {
				t.Errorf("order %v: %v", order, err)
			}
		}
	}
}

// count sends the events of a case through the decoder to the counting rules, each programme for itself.
func count(t *testing.T, c *cases.Case, country *cases.Country, set *programme.Set, order []int) map[string][]uptake.Change {
	t.Helper()
	ix := country.Index()
	decoder := event.Decoder{Programmes: set, Now: func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) }}
	one := map[event.Pseudonym]event.Pseudonym{} // pseudonyms that are one person; the cases link no more than two
	var events []event.Event
	for _, i := range order {
		subject, _, payload, err := c.Message(country, set, i)
		if err != nil {
			t.Fatal(err)
		}
		e, rejected := decoder.Decode(subject, payload)
		if rejected != nil {
			t.Fatalf("%s: event %d: %v", c.Title, i, rejected)
		}
		events = append(events, e)
		if e.Previous != (event.Pseudonym{}) {
			one[e.Person] = e.Previous
		}
	}
	type held struct {
		programme string
		who       event.Pseudonym
		uptake.Record
	}
	newest := map[event.RecordID]held{}
	for _, e := range events {
		who := e.Person
		if previous, linked := one[who]; linked {
			who = previous
		}
		if last, ok := newest[e.RecordID]; !ok || last.Version.Less(e.Version) {
			newest[e.RecordID] = held{e.Programme, who, uptake.Record{ID: e.RecordID, Version: e.Version, Status: e.Status, Day: e.Day, Dose: e.Dose,
				Cohort: e.Season, LSOA: e.LSOA, Ethnicity: e.Ethnicity, Practice: e.Practice}}
		}
	}
	changes := map[string][]uptake.Change{}
	for _, id := range c.Programmes() {
		people := map[event.Pseudonym][]uptake.Record{}
		for _, h := range newest {
			if h.programme == id {
				people[h.who] = append(people[h.who], h.Record)
			}
		}
		p, _ := set.Get(id)
		for _, records := range people {
			slices.SortFunc(records, func(a, b uptake.Record) int { return bytes.Compare(a.ID[:], b.ID[:]) })
			changes[id] = uptake.Changes(changes[id], p, records, func(lsoa string) bool { return lsoa != "" && ix.Find(lsoa) != area.Area{} })
		}
	}
	return changes
}

// answer sums changes as rule 3 and 4 say, with no help from the aggregator. Eligible people are no matter of the
// counting rules: there the answer is what was asked for.
func answer(changes []uptake.Change, ix *area.Index, fifths *area.Fifths, level, season string, day calendar.Day, want cases.Count, eligible *int64) cases.Counts {
	type cell struct {
		area.Area
		code string
	}
	at := func(g uptake.Group) cell {
		c := cell{Area: ix.Find(g.LSOA)}
		inPlace, inSystem := fifths.In(c.Area)
		c.Rank = 0
		switch level {
		case "place fifth":
			c.Neighbourhood, c.code = "", inPlace
		case "system fifth":
			c.Neighbourhood, c.code = "", inSystem
		case "pcn":
			c.Neighbourhood, c.code = "", ix.PCN(g.Practice)
		case "ethnicity":
			c.Neighbourhood, c.code = "", g.Ethnicity
		}
		return c
	}
	in := func(c cell) bool {
		pcn, ethnicity, fifth := "", "", ""
		switch level {
		case "pcn":
			pcn = c.code
		case "ethnicity":
			ethnicity = c.code
		case "place fifth", "system fifth":
			fifth = c.code
		}
		return want.Matches(c.Place, c.System, c.Neighbourhood, pcn, ethnicity, fifth, c.Quintile)
	}
	var n cases.Counts
	if eligible != nil {
		n.Eligible = *eligible
	}
	for _, ch := range changes {
		if ch.Season != season || ch.Day > day {
			continue
		}
		from, to := at(ch.From), at(ch.To)
		joins := ch.Kind != uptake.Lapsed && in(to)
		leaves := ch.Kind != uptake.Newly && in(from)
		if ch.Kind == uptake.Moved && from == to {
			continue
		}
		if joins {
			n.Covered++
		}
		if leaves {
			n.Covered--
		}
		if ch.Day != day {
			continue
		}
		switch {
		case ch.Kind == uptake.Newly && joins:
			n.Newly++
		case ch.Kind == uptake.Lapsed && leaves:
			n.Lapsed++
		case ch.Kind == uptake.Moved:
			if joins {
				n.MovedIn++
			}
			if leaves {
				n.MovedOut++
			}
		}
	}
	return n
}
