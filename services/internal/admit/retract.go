package admit

import (
	"slices"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/mapping"
	"gapwatch/services/internal/programme"
)

// uncounted is the answer to what counts for no programme. Unless it is a first version, an earlier one may be counting.
func (a *admission) uncounted(later time.Duration, why string) (Result, *Problem) {
	if a.s.Revision == First {
		return Result{NoProgramme: true, Why: why, Record: a.e.Record}, nil
	}
	return a.retraction(later, true, why)
}

// retraction is an event that retracts the record. Which programme, season and day it is for makes no difference to what
// counts: the newest version of a record decides, wherever it lies. It says no more than that.
func (a *admission) retraction(later time.Duration, none bool, why string) (Result, *Problem) {
	a.e.Status, a.e.Correction, a.why = event.EnteredInError, false, why
	a.e.Time = a.e.Time.Add(later)
	a.e.Dose = 0
	said, known := event.ParseDay(a.s.OccurredAt)
	known = known && said >= firstDay && said <= a.today
	if a.birth == (mapping.Birth{}) {
		a.birth, _ = mapping.ParseBirth(a.s.BirthDate)
	}
	// Made is the day it was made, or the day before: never in the future, whatever the clock here says.
	made := max(firstDay, min(a.today, calendar.Of(a.s.Time.Add(-event.MaxAhead))))
	for p := range a.candidates {
		if !a.scope.programme(p) || a.e.Type != "" && a.e.Type != p.EventType {
			continue
		}
		if a.settle(p, said, known, made) {
			a.e.Programme, a.e.Type = p.ID, p.EventType
			return a.finish(Result{NoProgramme: none})
		}
	}
	return Result{}, a.refuse(NotAllowed, "Programme", "must be of a type that the sender may send a programme of")
}

// candidates are the programmes that a retraction may be put under, those first that an earlier version was most likely for.
func (a *admission) candidates(yield func(*programme.Programme) bool) {
	if a.named != nil && !yield(a.named) {
		return
	}
	for k := range a.kinds.All {
		for p := range a.door.Mapping.Programmes(k) {
			if !yield(p) {
				return
			}
		}
	}
	for _, p := range a.door.Programmes.Programmes {
		if !yield(p) {
			return
		}
	}
}

// settle finds a day and a cohort of a programme that a retraction can be put on; false if there is none. A day that is
// not said is in the newest season that had begun when this version was made, so that the retraction is kept for as long
// as what it retracts.
func (a *admission) settle(p *programme.Programme, said calendar.Day, known bool, made calendar.Day) bool {
	day := made
	if known {
		day = said
	}
	a.e.Day, a.e.Cohort = day, ""
	switch p.Kind {
	case programme.Rolling:
		return true
	case programme.Cohort:
		a.e.Cohort = a.s.Cohort
		if a.e.Cohort == "" {
			if of, answer := a.door.Mapping.CohortOf(p, a.birth); answer == mapping.Found {
				a.e.Cohort = of
			}
		}
		if a.running(p) {
			return true
		}
		season, ok := a.season(p, made)
		a.e.Cohort = season.ID
		return ok
	}
	if a.running(p) {
		return true
	}
	season, ok := a.season(p, made)
	a.e.Day = season.Start
	return ok
}

// season is the newest that had begun on a day and is still kept; if there is none, the first one that is kept and has begun.
func (a *admission) season(p *programme.Programme, made calendar.Day) (programme.Season, bool) {
	usable := func(s programme.Season) bool { return s.Start <= a.today && a.today <= p.KeptTo(s) }
	for _, s := range slices.Backward(p.Seasons) {
		if s.Start <= made && usable(s) {
			return s, true
		}
	}
	at := slices.IndexFunc(p.Seasons, usable)
	if at < 0 {
		return programme.Season{}, false
	}
	return p.Seasons[at], true
}
