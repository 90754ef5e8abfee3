package admit

import (
	"slices"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
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
// counts: the newest version of a record decides, wherever it lies. So it says nothing of what was done, and when.
func (a *admission) retraction(later time.Duration, none bool, why string) (Result, *Problem) {
	a.e.Status, a.why = event.EnteredInError, why
	a.e.Time = a.e.Time.Add(later)
	a.e.Dose = 0
	// The day it was made, or the day before: never in the future, whatever the clock here says.
	made := max(firstDay, min(a.today, calendar.Of(a.s.Time.Add(-event.MaxAhead))))
	may := false
	for p := range a.candidates {
		if !a.scope.programme(p) || a.e.Type != "" && a.e.Type != p.EventType {
			continue
		}
		may = true
		if a.settle(p, made) {
			a.e.Programme, a.e.Type = p.ID, p.EventType
			return a.finish(Result{NoProgramme: none})
		}
	}
	if !may {
		return Result{}, a.refuse(NotAllowed, "Programme", "must be of a type that the sender may send a programme of")
	}
	// No season is kept: nothing is counting that could be retracted.
	if why == "" {
		why = WhyNoSeason
	}
	return Result{NoProgramme: true, Why: why, Record: a.e.Record}, nil
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

// settle puts a retraction on a day and in a season of a programme; false if there is none. It takes the newest season
// that had begun when this version was made, so that the retraction is kept for as long as what it retracts.
func (a *admission) settle(p *programme.Programme, made calendar.Day) bool {
	a.e.Day, a.e.Cohort = made, ""
	if p.Kind == programme.Rolling {
		return true
	}
	season, ok := a.season(p, made)
	if p.Kind == programme.Cohort {
		a.e.Cohort = season.ID
	} else {
		a.e.Day = max(season.Start, min(made, season.End))
	}
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
