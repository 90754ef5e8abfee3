// Package programme says what a prevention programme is: who it is for, when it runs, and what counts as covered.
// The programmes themselves are in schemas/programmes.yaml.
package programme

import (
	"slices"

	"gapwatch/services/internal/calendar"
)

// Kind says how long somebody stays covered.
type Kind string

const (
	// Seasonal means covered from the qualifying day to the season's end; every season starts from nothing.
	Seasonal Kind = "seasonal"
	// Rolling means that a check covers until the day before the same date Validity months later.
	Rolling Kind = "rolling"
	// Cohort means that a person belongs to one season (data.cohort) and is covered once qualified, counted up to that season's end.
	Cohort Kind = "cohort"
)

// The CloudEvents types that a programme's events can have.
const (
	TypeVaccination = "uk.nhs.prevention.vaccination.v1"
	TypeHealthCheck = "uk.nhs.prevention.health-check.v1"
)

// RollingSeason is the season id under which everything of a rolling programme is kept.
const RollingSeason = "rolling"

// Season is a stretch of days that uptake is counted over. Both ends belong to it.
type Season struct {
	ID         string
	Start, End calendar.Day
}

// Programme is one prevention programme as written in programmes.yaml.
type Programme struct {
	ID          string
	Name        string
	Kind        Kind
	EventType   string       // the CloudEvents type that its events have: TypeVaccination or TypeHealthCheck
	Doses       int          // how many doses make a person covered; 1 for checks
	MinInterval int          // days that two doses must lie apart to count as two
	Validity    int          // months that a check covers; rolling only
	Target      float64      // uptake aimed at, percent of the eligible, 0 to 100
	HistoryFrom calendar.Day // the first day that counts are shown for
	Seasons     []Season     // in order of time, never overlapping for seasonal programmes; none for rolling
	Retention   int          // months that a season is kept after its end, or a shown day of a rolling programme; 0: for good
	Limits      Limits
	Eligible    string // the eligible group in words
	Source      string // where target, dates and group were published
}

// Limits are the settings below or above which a figure is withheld or called out.
type Limits struct {
	Floor          int     // a measure of a quintile with fewer eligible people is not computed
	SmallestChange float64 // the smallest change of the gap that matters, percentage points
	UnknownArea    float64 // share of covered people without a known area above which no verdict is given, percent
	Ceiling        float64 // the gap above which an alert is raised, percentage points
	Behind         float64 // how far a quintile is under the season before when an alert is raised, percentage points; 5 unless set
}

// Set is all programmes of a deployment and the edition of the Index of Multiple Deprivation they are counted by.
type Set struct {
	Edition    int // 2019 or 2025
	Programmes []*Programme
	SHA256     string // of the file's text, in hex: two services that name the same file count alike
	byID       map[string]*Programme
}

// NewSet makes a set of programmes that are known to be right, as made by a test or a replay. Of two with one id the
// later is found by it; [Parse] refuses such files.
func NewSet(edition int, programmes ...*Programme) *Set {
	s := &Set{Edition: edition, Programmes: programmes, byID: make(map[string]*Programme, len(programmes))}
	for _, p := range programmes {
		s.byID[p.ID] = p
	}
	return s
}

// Get is the programme with that id.
func (s *Set) Get(id string) (*Programme, bool) {
	p, ok := s.byID[id]
	return p, ok
}

// Season is the season with that id.
func (p *Programme) Season(id string) (Season, bool) {
	if p.Kind == Rolling {
		return Season{ID: RollingSeason, Start: p.HistoryFrom, End: calendar.Far}, id == RollingSeason
	}
	for _, s := range p.Seasons {
		if s.ID == id {
			return s, true
		}
	}
	return Season{}, false
}

// SeasonOn is the season that a seasonal programme's event on that day belongs to; false where none was running.
// Everything of a rolling programme belongs to RollingSeason. Cohort programmes take the season from the event.
func (p *Programme) SeasonOn(day calendar.Day) (Season, bool) {
	if p.Kind == Rolling {
		return p.Season(RollingSeason)
	}
	for _, s := range p.Seasons {
		if s.Start <= day && day <= s.End {
			return s, true
		}
	}
	return Season{}, false
}

// KeptTo is the last day on which a season of the programme is kept: its end and the months of retention. The day after,
// it is as if the season were not listed. Rolling programmes keep their one season: see [Programme.KeptFrom].
func (p *Programme) KeptTo(s Season) calendar.Day {
	if p.Retention == 0 || p.Kind == Rolling {
		return calendar.Far
	}
	return s.End.AddMonths(p.Retention)
}

// KeptFrom is the first day that a rolling programme's counts are kept for, as of a day: the first of the month that many
// months ago. Checks that were over by then are removed.
func (p *Programme) KeptFrom(today calendar.Day) calendar.Day {
	if p.Retention == 0 || p.Kind != Rolling {
		return p.HistoryFrom
	}
	year, month, _ := today.Time().Date()
	return max(p.HistoryFrom, calendar.Date(year, month, 1).AddMonths(-p.Retention))
}

// AsOf is the set as it is on a day: without the seasons whose retention is over. It is the set itself where that is none.
func (s *Set) AsOf(today calendar.Day) *Set {
	programmes, changed := make([]*Programme, len(s.Programmes)), false
	for i, p := range s.Programmes {
		over := func(season Season) bool { return today > p.KeptTo(season) }
		if programmes[i] = p; slices.ContainsFunc(p.Seasons, over) {
			without := *p
			without.Seasons = slices.DeleteFunc(slices.Clone(p.Seasons), over)
			programmes[i], changed = &without, true
		}
	}
	if !changed {
		return s
	}
	set := NewSet(s.Edition, programmes...)
	set.SHA256 = s.SHA256
	return set
}
