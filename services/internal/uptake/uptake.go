// Package uptake holds the counting rules: what the records of one person say about when that person was covered, and
// in which group. It is the only place that knows them: the aggregator's small steps, its full recompute and the
// audit all call it. schemas/cases shows every rule by example.
package uptake

import (
	"bytes"
	"cmp"
	"slices"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

// Record is one version of a person's record in one programme.
type Record struct {
	ID        event.RecordID
	Version   event.Version
	Status    event.Status
	Day       calendar.Day
	Dose      uint8  // 1 to 9, 0 = not said
	Cohort    string // the season that a cohort programme's event names; not looked at otherwise
	LSOA      string
	Ethnicity string
	Practice  string
}

// Group is what a covered person is counted under. Empty means "unknown".
type Group struct {
	LSOA, Ethnicity, Practice string
}

// Kind says what changed about a person's cover.
type Kind uint8

// The kinds.
const (
	Newly  Kind = iota // covered, and not covered the day before
	Lapsed             // no longer covered; the day is the first one not covered
	Moved              // still covered, by a record of another group
)

// Change is one change of a person's cover. From is set if Lapsed or Moved, To if Newly or Moved.
type Change struct {
	Season   string
	Day      calendar.Day
	Kind     Kind
	From, To Group
}

// span is a stretch of days, the last one not included, on which a person is covered in one group.
type span struct {
	from, to calendar.Day
	group    Group
}

// Newest keeps the newest version of each record (design: "the newest version of (source, record) decides"). of tells
// what a version is one of. Versions must come sorted by record; the slice is reused.
func Newest[T any](versions []T, of func(T) (event.RecordID, event.Version)) []T {
	kept := versions[:0]
	var last event.RecordID
	var newest event.Version
	for _, v := range versions {
		switch id, version := of(v); {
		case len(kept) == 0 || last != id:
			kept, last, newest = append(kept, v), id, version
		case newest.Less(version):
			kept[len(kept)-1], newest = v, version
		}
	}
	return kept
}

// Changes appends to dst how one person's cover changes in a programme, in order of time. records are the newest
// versions of all of that person's records in the programme, in any order; the slice is reordered. located tells
// whether the look-ups know an LSOA. When and how the cover of a person with a single record changes does not depend on
// the group of that record, which is passed on as it is.
func Changes(dst []Change, p *programme.Programme, records []Record, located func(lsoa string) bool) []Change {
	active := slices.DeleteFunc(records, func(r Record) bool { return r.Status != event.Completed })
	if len(active) > 1 {
		slices.SortFunc(active, func(a, b Record) int { return preference(a, b, located) })
	}
	switch p.Kind {
	case programme.Rolling:
		return rolling(dst, p, active)
	case programme.Cohort:
		if i := qualifying(p, active); i >= 0 {
			if season, ok := p.Season(active[i].Cohort); ok && active[i].Day <= season.End {
				return append(dst, Change{Season: season.ID, Day: max(active[i].Day, season.Start), To: new(filling).groupOf(active, i)})
			}
		}
		return dst
	default:
		return seasonal(dst, p, active)
	}
}

// preference orders by day and, on one day, puts the record first whose group counts: a known LSOA, then the newest
// version, then the record's identity (rule 4).
func preference(a, b Record, located func(string) bool) int {
	if a.Day != b.Day {
		return int(a.Day) - int(b.Day)
	}
	if a.LSOA != b.LSOA {
		if la, lb := located(a.LSOA), located(b.LSOA); la != lb {
			if la {
				return -1
			}
			return 1
		}
	}
	if a.Version != b.Version {
		if b.Version.Less(a.Version) {
			return -1
		}
		return 1
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

// seasonal applies rules 1 and 2 season by season: each starts from nothing.
func seasonal(dst []Change, p *programme.Programme, active []Record) []Change {
	var fill filling
	for first := 0; first < len(active); {
		season, ok := p.SeasonOn(active[first].Day)
		if !ok { // the season was taken out of the programme file after the event had come in
			first++
			continue
		}
		end := first
		for end < len(active) && active[end].Day <= season.End {
			end++
		}
		if i := qualifying(p, active[first:end]); i >= 0 {
			dst = append(dst, Change{Season: season.ID, Day: active[first+i].Day, To: fill.groupOf(active, first+i)})
		}
		first = end
	}
	return dst
}

// qualifying is the index of the covering record, the preferred one of the qualifying day; -1 if there is none.
// Rule 2: the earliest day with a dose of at least p.Doses, or with p.Doses days at least p.MinInterval apart.
func qualifying(p *programme.Programme, active []Record) int {
	taken, last, first := 0, calendar.Day(0), 0
	for i, r := range active {
		if r.Day != active[first].Day {
			first = i
		}
		if taken == 0 || (r.Day > last && int(r.Day-last) >= p.MinInterval) {
			taken, last = taken+1, r.Day
		}
		if int(r.Dose) >= p.Doses || taken >= p.Doses {
			return first
		}
	}
	return -1
}

// rolling applies rule 1 to checks: each covers until the same date Validity months later, and the newest on or before
// a day gives that day's group.
func rolling(dst []Change, p *programme.Programme, active []Record) []Change {
	var covered span // the one before
	var fill filling
	for i := 0; i < len(active); {
		next := i + 1
		for next < len(active) && active[next].Day == active[i].Day {
			next++
		}
		now := span{from: active[i].Day, to: active[i].Day.AddMonths(p.Validity), group: fill.groupOf(active, i)}
		if next < len(active) {
			now.to = min(now.to, active[next].Day)
		}
		i = next
		now.from = max(now.from, p.HistoryFrom)
		if now.from >= now.to {
			continue
		}
		dst = step(dst, covered, now)
		covered = now
	}
	return step(dst, covered, span{from: calendar.Far, to: calendar.Far})
}

// step is how cover changes from one span to the next; an empty first span means "not covered before".
func step(dst []Change, before, after span) []Change {
	was, is := before.from < before.to, after.from < after.to
	switch {
	case was && is && before.to == after.from:
		if before.group != after.group {
			dst = append(dst, Change{Season: programme.RollingSeason, Day: after.from, Kind: Moved, From: before.group, To: after.group})
		}
		return dst
	case was:
		dst = append(dst, Change{Season: programme.RollingSeason, Day: before.to, Kind: Lapsed, From: before.group})
	}
	if is {
		dst = append(dst, Change{Season: programme.RollingSeason, Day: after.from, To: after.group})
	}
	return dst
}

// filling is what an empty ethnicity and practice of a person's records are filled with. It is looked for once, and only if
// it is needed: somebody may have very many records.
type filling struct {
	found               bool
	ethnicity, practice string
}

// groupOf is the group of a covering record; an empty ethnicity or practice is filled from the person's newest other
// active record that has one (rule 4).
func (f *filling) groupOf(active []Record, covering int) Group {
	r := active[covering]
	group := Group{LSOA: r.LSOA, Ethnicity: r.Ethnicity, Practice: r.Practice}
	if r.Ethnicity != "" && r.Practice != "" {
		return group
	}
	if !f.found {
		f.found = true
		f.ethnicity = newestStated(active, func(r *Record) string { return r.Ethnicity })
		f.practice = newestStated(active, func(r *Record) string { return r.Practice })
	}
	group.Ethnicity, group.Practice = cmp.Or(r.Ethnicity, f.ethnicity), cmp.Or(r.Practice, f.practice)
	return group
}

func newestStated(active []Record, field func(*Record) string) string {
	var newest *Record
	for i := range active {
		r := &active[i]
		if field(r) == "" {
			continue
		}
		if newest == nil || newest.Version.Less(r.Version) ||
			newest.Version == r.Version && bytes.Compare(newest.ID[:], r.ID[:]) < 0 {
			newest = r
		}
	}
	if newest == nil {
		return ""
	}
	return field(newest)
}
