package simulate_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/simulate"
)

// What follows counts in the slowest and plainest way: all messages decoded, the newest version of each record kept,
// and each person looked at on each day. It shares nothing with the simulator's truth but the published files.

type place struct{ neighbourhood, place, system, quintile string }

// areas is what the reference files say, read with nothing but a CSV reader. Quintile "0" is unknown.
type areas struct {
	lsoas map[string]place
	pcns  map[string]string
}

func readAreas(t *testing.T, dir string, edition int) areas {
	t.Helper()
	a := areas{lsoas: map[string]place{}, pcns: map[string]string{}}
	quintiles := func(file, column string) map[string]string {
		found := map[string]string{}
		for _, r := range readTable(t, filepath.Join(dir, file)) {
			decile, err := strconv.Atoi(r["imd_decile"])
			if err != nil {
				t.Fatal(err)
			}
			found[r[column]] = string("_1122334455"[decile])
		}
		return found
	}
	changes := readTable(t, filepath.Join(dir, "lsoa11_lsoa21.csv"))
	for code, quintile := range quintiles("imd2025.csv", "lsoa21_code") {
		a.lsoas[code] = place{quintile: quintile}
	}
	if edition == 2019 {
		by2011 := quintiles("imd2019.csv", "lsoa11_code")
		seen := map[string]bool{}
		for _, r := range changes {
			code, quintile := r["lsoa21_code"], by2011[r["lsoa11_code"]]
			if seen[code] && a.lsoas[code].quintile != quintile {
				quintile = "0"
			}
			seen[code] = true
			a.lsoas[code] = place{quintile: quintile}
		}
	}
	for _, r := range readTable(t, filepath.Join(dir, "lsoa21_msoa21.csv")) {
		p := a.lsoas[r["lsoa21_code"]]
		p.neighbourhood = r["msoa21_code"]
		a.lsoas[r["lsoa21_code"]] = p
	}
	for _, r := range readTable(t, filepath.Join(dir, "lsoa21_ltla24.csv")) {
		p := a.lsoas[r["lsoa21_code"]]
		p.place = r["ltla24_code"]
		a.lsoas[r["lsoa21_code"]] = p
	}
	for _, r := range readTable(t, filepath.Join(dir, "lsoa21_icb24.csv")) {
		p := a.lsoas[r["lsoa21_code"]]
		p.system = r["icb24_code"]
		a.lsoas[r["lsoa21_code"]] = p
	}
	parts := map[string][]place{}
	for _, r := range changes {
		if r["change_code"] != "U" {
			parts[r["lsoa11_code"]] = append(parts[r["lsoa11_code"]], a.lsoas[r["lsoa21_code"]])
		}
	}
	for code, ps := range parts {
		p := ps[0]
		for _, q := range ps {
			if q.neighbourhood != p.neighbourhood {
				p.neighbourhood = ""
			}
			if q.place != p.place {
				p.place = ""
			}
			if q.system != p.system {
				p.system = ""
			}
			if q.quintile != p.quintile {
				p.quintile = "0"
			}
		}
		a.lsoas[code] = p
	}
	for _, r := range readTable(t, filepath.Join(dir, "practices.csv")) {
		a.pcns[r["practice_code"]] = r["pcn_code"]
	}
	return a
}

func readTable(t *testing.T, path string) []map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, column := range lines[0] {
			row[column] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// counter counts cells day by day.
type counter struct {
	areas areas
	cells map[simulate.Cell]simulate.Cell // by the cell without its counts
}

// look is what one person is counted as on one day.
type look struct {
	covered   bool
	lsoa      string
	ethnicity string
	practice  string
}

func (c *counter) at(programme, season string, day calendar.Day, l look) [3]simulate.Cell {
	p := c.areas.lsoas[l.lsoa]
	quintile, _ := strconv.Atoi(p.quintile) // "" is 0
	cell := simulate.Cell{Programme: programme, Season: season, Day: day, Place: p.place, System: p.system, Quintile: uint8(quintile)}
	n, pcn, e := cell, cell, cell
	n.Level, n.Code = simulate.LevelNeighbourhood, p.neighbourhood
	pcn.Level, pcn.Code = simulate.LevelPCN, c.areas.pcns[l.practice]
	e.Level, e.Code = simulate.LevelEthnicity, l.ethnicity
	return [3]simulate.Cell{n, pcn, e}
}

func (c *counter) add(key simulate.Cell, add func(*simulate.Cell)) {
	cell, ok := c.cells[key]
	if !ok {
		cell = key
	}
	add(&cell)
	c.cells[key] = cell
}

// step counts how a person's look changed overnight.
func (c *counter) step(programme, season string, day calendar.Day, before, after look) {
	if before == after {
		return
	}
	was, is := c.at(programme, season, day, before), c.at(programme, season, day, after)
	for i := range was {
		switch {
		case !before.covered && after.covered:
			c.add(is[i], func(c *simulate.Cell) { c.Newly++ })
		case before.covered && !after.covered:
			c.add(was[i], func(c *simulate.Cell) { c.Lapsed++ })
		case before.covered && was[i] != is[i]:
			c.add(was[i], func(c *simulate.Cell) { c.MovedOut++ })
			c.add(is[i], func(c *simulate.Cell) { c.MovedIn++ })
		}
	}
}

// newer tells whether a's version goes before b's: made later, or of the same time a retraction, then a correction.
func newer(a, b *event.Event) bool {
	if !a.Time.Equal(b.Time) {
		return a.Time.After(b.Time)
	}
	rank := func(e *event.Event) int {
		switch {
		case e.Status == event.EnteredInError:
			return 2
		case e.Correction:
			return 1
		}
		return 0
	}
	return rank(a) > rank(b)
}

// lookOf is how a person is counted who is covered by one of the records of a day: the one with a known area, of those
// the newest. What it does not say is filled from the newest of all.
func (c *counter) lookOf(all, sameDay []*event.Event) look {
	best := sameDay[0]
	for _, r := range sameDay[1:] {
		_, known := c.areas.lsoas[r.LSOA]
		_, bestKnown := c.areas.lsoas[best.LSOA]
		if known && !bestKnown || known == bestKnown && newer(r, best) {
			best = r
		}
	}
	l := look{true, best.LSOA, best.Ethnicity, best.Practice}
	var ethnicity, practice *event.Event
	for _, r := range all {
		if r.Ethnicity != "" && (ethnicity == nil || newer(r, ethnicity)) {
			ethnicity = r
		}
		if r.Practice != "" && (practice == nil || newer(r, practice)) {
			practice = r
		}
	}
	if l.ethnicity == "" && ethnicity != nil {
		l.ethnicity = ethnicity.Ethnicity
	}
	if l.practice == "" && practice != nil {
		l.practice = practice.Practice
	}
	return l
}

func on(records []*event.Event, day calendar.Day) (sameDay []*event.Event) {
	for _, r := range records {
		if r.Day == day {
			sameDay = append(sameDay, r)
		}
	}
	return sameDay
}

// person counts one person in one programme, whose active records are given, in any order.
func (c *counter) person(p *programme.Programme, records []*event.Event) {
	switch p.Kind {
	case programme.Rolling:
		last := p.HistoryFrom
		for _, r := range records {
			last = max(last, over(r.Day, p.Validity))
		}
		before := look{}
		for day := p.HistoryFrom; day <= last; day++ {
			now, newest := look{}, calendar.Day(-1<<30)
			for _, r := range records {
				if r.Day <= day && day < over(r.Day, p.Validity) {
					newest = max(newest, r.Day)
				}
			}
			if newest > -1<<30 {
				now = c.lookOf(records, on(records, newest))
			}
			c.step(p.ID, programme.RollingSeason, day, before, now)
			before = now
		}
	case programme.Cohort:
		qualified := calendar.Day(1 << 30)
		for _, a := range records {
			if int(a.Dose) >= p.Doses {
				qualified = min(qualified, a.Day)
			}
			for _, b := range records {
				if int(b.Day-a.Day) >= p.MinInterval {
					qualified = min(qualified, b.Day)
				}
			}
		}
		for _, season := range p.Seasons {
			before := look{}
			for day := season.Start; day <= season.End; day++ {
				now := look{}
				if qualified <= day && on(records, qualified)[0].Season == season.ID {
					now = c.lookOf(records, on(records, qualified))
				}
				c.step(p.ID, season.ID, day, before, now)
				before = now
			}
		}
	default:
		for _, season := range p.Seasons {
			before := look{}
			for day := season.Start; day <= season.End; day++ {
				now := before
				if sameDay := on(records, day); !before.covered && len(sameDay) > 0 {
					now = c.lookOf(records, sameDay)
				}
				c.step(p.ID, season.ID, day, before, now)
				before = now
			}
		}
	}
}

// over is the first day that a check covers no more. The Go library makes 31 February 3 March, but with whole years only
// 29 February can be missing, and that becomes 1 March.
func over(day calendar.Day, months int) calendar.Day {
	return calendar.Date(day.Time().AddDate(0, months, 0).Date())
}

// count counts everything that the events say.
func count(set *programme.Set, a areas, events []event.Event) []simulate.Cell {
	c := &counter{areas: a, cells: map[simulate.Cell]simulate.Cell{}}
	newest := map[string]*event.Event{}
	earlier := map[event.Pseudonym]event.Pseudonym{}
	for i := range events {
		e := &events[i]
		if e.Previous != (event.Pseudonym{}) {
			earlier[e.Person] = e.Previous
		}
		id := e.Source + " " + e.Record
		if newest[id] == nil || newer(e, newest[id]) {
			newest[id] = e
		}
	}
	type key struct {
		person    event.Pseudonym
		programme string
	}
	active := map[key][]*event.Event{}
	for _, e := range newest {
		if e.Status != event.Completed {
			continue
		}
		person := e.Person
		if p, ok := earlier[person]; ok {
			person = p
		}
		k := key{person, e.Programme}
		active[k] = append(active[k], e)
	}
	for k, records := range active {
		p, _ := set.Get(k.programme)
		c.person(p, records)
	}
	var cells []simulate.Cell
	for _, cell := range c.cells {
		cells = append(cells, cell)
	}
	return cells
}

func decoder(set *programme.Set, now time.Time) *event.Decoder {
	return &event.Decoder{Programmes: set, Now: func() time.Time { return now }}
}
