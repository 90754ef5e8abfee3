package mapping

import (
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// row is a row of programmes.csv: the records of a kind that count for a programme.
type row struct {
	at        int // row of the table, for errors
	programme *programme.Programme

	// windows are the days that records may lie on and, where the row has an age on a day of the season, who may have been
	// born when. A rolling programme has one, a cohort programme one for each season, which any day is in.
	windows []window

	ageFrom, ageTo int  // in years, both included
	onEvent        bool // the age is that on the day of the record; otherwise windows have it
	birthday       int  // the cohort is the season of this birthday; 0 = it is none of a cohort programme
	doses          [2]uint8
}

type window struct {
	season string
	days   span
	births span
}

// reference is the day of the season that an age is meant on: a month and a day. It is the first such day from the
// season's start on.
type reference struct {
	month time.Month
	day   int
}

func (r reference) in(s programme.Season) calendar.Day {
	year, _, _ := s.Start.Time().Date()
	on := r.of(year)
	if on < s.Start {
		on = r.of(year + 1)
	}
	return on
}

// of is that date of a year; 29 February is 1 March where there is none.
func (r reference) of(year int) calendar.Day { return calendar.Date(year, r.month, r.day) }

func (r *row) needsBirth() bool { return r.ageFrom > 0 || r.ageTo < anyAge }

func (r *row) takesAnyDose() bool { return r.doses[0] <= 1 && r.doses[1] >= 9 }

// find answers for one row.
func (r *row) find(d Done) (Match, Answer) {
	w, answer := r.window(d)
	if answer != Found {
		return Match{}, answer
	}
	if r.needsBirth() {
		if !d.Birth.known {
			return Match{}, NeedsBirth
		}
		if in, out := r.aged(w, d); out {
			return Match{}, Outside
		} else if !in {
			return Match{}, NeedsBirth
		}
	}
	if !r.takesAnyDose() {
		if d.Dose == 0 {
			return Match{}, NeedsDose
		}
		if d.Dose < r.doses[0] || d.Dose > r.doses[1] {
			return Match{}, Outside
		}
	}
	m := Match{Programme: r.programme}
	if r.birthday > 0 {
		m.Cohort = w.season
	}
	return m, Found
}

// window is the season of a record.
func (r *row) window(d Done) (window, Answer) {
	if r.birthday == 0 {
		for _, w := range r.windows {
			if w.days.first <= d.Day && d.Day <= w.days.last {
				return w, Found
			}
		}
		return window{}, NoSeason
	}
	season := d.Cohort
	if d.Birth.known {
		of, answer := r.cohort(d.Birth, d.Cohort)
		switch {
		case answer == OtherCohort, season == "" && answer != Found:
			return window{}, answer
		case season == "": // otherwise the sender may know more of the date than we are told
			season = of
		}
	}
	if season == "" {
		return window{}, NeedsBirth
	}
	for _, w := range r.windows {
		if w.season == season {
			return w, Found
		}
	}
	return window{}, NoSeason
}

// cohort is the season that the birthday lies in. OtherCohort means that it lies on no day of the one that the sender says.
func (r *row) cohort(b Birth, said string) (string, Answer) {
	if !b.known {
		return "", NeedsBirth
	}
	turns := span{birthday(b.first, r.birthday), birthday(b.last, r.birthday)}
	if s, listed := r.programme.Season(said); listed && turns.and(span{s.Start, s.End}).empty() {
		return "", OtherCohort
	}
	for _, s := range r.programme.Seasons {
		if s.Start <= turns.first && turns.last <= s.End {
			return s.ID, Found
		}
		if s.Start <= turns.last && turns.first <= s.End {
			return "", NeedsBirth
		}
	}
	return "", NoSeason
}

// aged tells whether all, and whether none, of the days of birth are of an age that the row takes.
func (r *row) aged(w window, d Done) (all, none bool) {
	b := d.Birth
	if !r.onEvent {
		return w.births.first <= b.first && b.last <= w.births.last, b.last < w.births.first || w.births.last < b.first
	}
	oldest := d.Day >= birthday(b.first, r.ageFrom)                          // has the eldest of them reached the age?
	youngest := d.Day >= birthday(b.last, r.ageFrom)                         // and the youngest?
	oldestOver := r.ageTo < anyAge && d.Day >= birthday(b.first, r.ageTo+1)  // is the eldest too old?
	youngestOver := r.ageTo < anyAge && d.Day >= birthday(b.last, r.ageTo+1) // and the youngest?
	return youngest && !oldestOver, !oldest || youngestOver
}

// overlaps tells whether a record of the kind could be taken by both rows.
func (r *row) overlaps(o *row) bool {
	if max(r.doses[0], o.doses[0]) > min(r.doses[1], o.doses[1]) {
		return false
	}
	from, to := 0, anyAge // of the age on the day of the record
	for _, x := range []*row{r, o} {
		if x.onEvent {
			from, to = max(from, x.ageFrom), min(to, x.ageTo)
		}
	}
	if from > to {
		return false
	}
	for _, a := range r.windows {
		for _, b := range o.windows {
			days, births := a.days.and(b.days), r.births(a).and(o.births(b))
			if days.empty() || births.empty() {
				continue
			}
			// The days of birth of an age move on with the day, without a gap: over all days they are one span.
			aged := ever
			if from > 0 && days.last < calendar.Far {
				aged.last = bornBy(from, days.last)
			}
			if to < anyAge && days.first > -calendar.Far {
				aged.first = bornBy(to+1, days.first) + 1
			}
			if !births.and(aged).empty() {
				return true
			}
		}
	}
	return false
}

// births is who can be taken in a window, as far as the day of the record does not matter.
func (r *row) births(w window) span {
	s := w.births
	if r.birthday > 0 {
		if season, ok := r.programme.Season(w.season); ok {
			s = s.and(span{bornBy(r.birthday, season.Start-1) + 1, bornBy(r.birthday, season.End)})
		}
	}
	return s
}
