// Package completeness says which days are complete: it learns how long the events of a day take to come in. It is pure:
// counts in, a lag in days out, no input or output.
//
// The lag is the number of days until [Share] (95 %) of a day's events have come, at least 1, the greatest over the
// deprivation quintiles that have enough events. A quintile whose records are slower than the others' makes a gap that is
// not there, so the slowest one decides.
//
// Recent days cannot yet show long delays: a day three days old has events with a delay of 0 to 3 days and no others.
// Averaging delays over such days makes the lag too short (right truncation). The delays are therefore estimated in
// reverse time, which uses each day for exactly the delays that it is old enough to show:
//
//	h(j) = events with delay j on days at least j days old / events with delay j or less on the same days
//	F(j) = product of 1 - h(k) over k > j
//
// F is the share of a day's events that have come j days after it. Sources: Brookmeyer and Damiano, Statistical methods
// for short-term projections of AIDS incidence, Statistics in Medicine 8 (1989) 23-34; Lawless, Adjustments for reporting
// delays and the prediction of occurred but not reported events, Canadian Journal of Statistics 22 (1994) 15-31. It is the
// chain-ladder estimate of insurance claims.
package completeness

import (
	"slices"

	"gapwatch/services/internal/calendar"
)

// The settings of the estimate. The share is the design's; the others are this project's choice.
const (
	// Share of a day's events that must have come for the day to be complete.
	Share = 0.95
	// Window is how many days back events are used, by the day they occurred: long enough for MaxLag to be seen on half
	// of them, short enough to follow a change of senders. A backlog sent at once stays in it until it has passed.
	Window = 84
	// MinEvents is how many events a delay must have been possible for before it is learnt from: with 200 the standard
	// error of a share of 95 % is 1.5 points.
	MinEvents = 200
	// MinHorizon is how many days of delay must have been possible to see before a lag shorter than Default is believed.
	MinHorizon = 28
	// MaxLag is the longest lag in days: where 95 % have not come by then, the rest revises the figures later.
	MaxLag = 42
	// Default is the lag in days while there is too little to learn from.
	Default = 7
)

// Arrivals are the events of one day of occurrence that were first received on one day. Only the first version of a
// record counts: a correction or a repeat is no arrival. Events that occurred before receiving began, and everything of a
// load of history, must be left out: when they would have come is not known.
type Arrivals struct {
	Quintile uint8        // 1 (most deprived) to 5; 0 where it is unknown; others are ignored
	Occurred calendar.Day // the day of the event
	Received calendar.Day // the day it came; before Occurred counts as the same day
	Events   int64        // people newly known; below 0 where records were withdrawn
}

// Basis says what a lag rests on.
type Basis string

const (
	// Learnt means the slowest of the quintiles with enough events.
	Learnt Basis = "learnt"
	// Pooled means that no quintile has enough events by itself, all events together have.
	Pooled Basis = "all quintiles together"
	// Short means that too short a time was seen to learn a long delay from: the lag is at least Default.
	Short Basis = "fewer than 28 days of delay seen"
	// Assumed means too few events: the lag is Default.
	Assumed Basis = "too few events, 7 days assumed"
)

// Lag is the completeness lag of one programme.
type Lag struct {
	Days      int           // 1 to MaxLag
	Basis     Basis         // what Days rests on
	Capped    bool          // more than 5 % of events come later than MaxLag
	Quintiles [5]OfQuintile // index 0 is quintile 1, the most deprived
	All       OfQuintile    // all events together, unknown quintile included
}

// OfQuintile is what was learnt about one quintile.
type OfQuintile struct {
	Days    int   // days until Share of a day's events have come, at least 1, not capped; 0 where there are too few events
	Horizon int   // the longest delay in days that MinEvents events could have shown, up to Window; 0 where there are too few
	Events  int64 // events in the window
}

// Learn learns the lag from the arrivals of the last Window days. asOf is the last day of receiving; arrivals received
// later, as well as events that occurred more than Window days before it or after it, are left out. The order of arrivals
// does not matter.
func Learn(asOf calendar.Day, arrivals []Arrivals) Lag {
	var tables [6]table
	all := new(table)
	for _, a := range arrivals {
		age := int(asOf - a.Occurred)
		if a.Received > asOf || age < 0 || age > Window || a.Quintile > 5 {
			continue
		}
		delay := max(0, int(a.Received-a.Occurred))
		tables[a.Quintile][age][delay] += a.Events
		all[age][delay] += a.Events
	}
	lag := Lag{All: all.estimate()}
	var used OfQuintile
	for q := range lag.Quintiles {
		l := tables[q+1].estimate()
		lag.Quintiles[q] = l
		if l.Days > 0 {
			used.Days, used.Horizon = max(used.Days, l.Days), max(used.Horizon, l.Horizon)
			lag.Basis = Learnt
		}
	}
	if used.Days == 0 && lag.All.Days > 0 {
		used, lag.Basis = lag.All, Pooled
	}
	switch {
	case used.Days == 0:
		used.Days, lag.Basis = Default, Assumed
	case used.Horizon < MinHorizon:
		used.Days, lag.Basis = max(used.Days, Default), Short
	}
	lag.Days, lag.Capped = min(used.Days, MaxLag), used.Days > MaxLag
	return lag
}

// LastComplete is the last complete day on day asOf. The days after it are provisional.
func (l Lag) LastComplete(asOf calendar.Day) calendar.Day { return asOf - calendar.Day(l.Days) }

// table counts events by the age of their day in days and by their delay in days.
type table [Window + 1][Window + 1]int64

func (t *table) estimate() OfQuintile {
	var l OfQuintile
	var come, possible [Window + 1]int64 // with delay j; with delay j or less, both on days at least j days old
	for age := range t {
		var sum int64
		for j := 0; j <= age; j++ {
			sum += t[age][j]
			come[j] += t[age][j]
			possible[j] += sum
		}
		l.Events += sum
	}
	for j := range possible {
		if possible[j] >= MinEvents {
			l.Horizon = j
		}
	}
	if l.Horizon == 0 {
		return l
	}
	share := 1.0
	for l.Days = l.Horizon; l.Days > 1; l.Days-- {
		// Withdrawals can outnumber what still comes: then nothing more was to come.
		if possible[l.Days] > 0 {
			share *= 1 - max(0, min(1, float64(come[l.Days])/float64(possible[l.Days])))
		}
		if share < Share {
			break
		}
	}
	return l
}

// Release is a series of cumulative counts as it was published once. A series published again and again, each time up to
// a later day and with earlier days revised, is a reporting triangle.
type Release struct {
	Known   calendar.Day               // the day of publication
	Through calendar.Day               // the last day that it has
	Covered map[calendar.Day][6]uint64 // people covered by the end of that day, by quintile; index 0 is unknown quintile
}

// FromReleases turns releases, in order of Known, into arrivals: what each release has more than the one before it, by
// the last day of each interval between neighbouring days of the newest release. What the first release already has is left
// out, since when it became known is not in it. All releases must count the same eligible people: one that redefines them
// revises every day, which is not lateness; start again with it. With fewer than two releases there are no arrivals.
func FromReleases(releases []Release) []Arrivals {
	if len(releases) < 2 {
		return nil
	}
	newest := releases[len(releases)-1]
	days := make([]calendar.Day, 0, len(newest.Covered))
	for d := range newest.Covered {
		days = append(days, d)
	}
	slices.Sort(days)
	var arrivals []Arrivals
	for i := 1; i < len(days); i++ {
		before, day := days[i-1], days[i]
		if day <= releases[0].Through {
			continue
		}
		var known [6]int64
		for _, r := range releases[1:] {
			from, ok1 := r.Covered[before]
			to, ok2 := r.Covered[day]
			if !ok1 || !ok2 {
				continue
			}
			for q := range known {
				now := int64(to[q]) - int64(from[q])
				if now != known[q] {
					arrivals = append(arrivals, Arrivals{uint8(q), day, r.Known, now - known[q]})
				}
				known[q] = now
			}
		}
	}
	return arrivals
}
