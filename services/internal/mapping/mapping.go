// Package mapping says which programme a vaccination or a health check counts for, by tables that a lead can edit:
// schemas/mapping, explained in the README there. It does no input or output but read the tables.
package mapping

import (
	"math/bits"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// The code systems that the tables know, as FHIR writes them.
const (
	SNOMED = "http://snomed.info/sct"
	LOINC  = "http://loinc.org"
)

// Tables are the tables of a deployment, made by [Load]. They are not changed after that, so that several goroutines may
// use them at once.
type Tables struct {
	kinds      []kind
	procedures map[string]procedure // by SNOMED code
	products   map[string]Kind
	diseases   map[string]uint64 // the bit of a disease, by SNOMED code
	sets       map[uint64]Kind   // by the bits of the diseases
	checks     [2]map[string]Kind
	rows       [][]row // by kind
	notes      []string
}

// Kind is a kind of vaccine or of check that the tables know, such as flu.
type Kind uint8

type kind struct {
	name      string
	eventType string
}

type procedure struct {
	kind Kind
	dose uint8
}

// Kinds is a set of kinds.
type Kinds uint64

// maxKinds is how many kinds a [Kinds] holds, and as many diseases a set of them.
const maxKinds = 64

// With is the set with one more kind.
func (k Kinds) With(one Kind) Kinds { return k | 1<<one }

// All are the kinds of a set.
func (k Kinds) All(yield func(Kind) bool) {
	for k != 0 {
		one := Kind(bits.TrailingZeros64(uint64(k)))
		k &^= 1 << one
		if !yield(one) {
			return
		}
	}
}

// Name is what the tables call a kind.
func (t *Tables) Name(k Kind) string { return t.kinds[k].name }

// Notes is what a lead should know about the tables and does not stop a start, a line each, fit for a log.
func (t *Tables) Notes() []string { return t.notes }

// Procedure is the kind of vaccine that a procedure code stands for, and the dose where the code says it.
func (t *Tables) Procedure(system, code string) (k Kind, dose uint8, known bool) {
	if system != SNOMED {
		return 0, 0, false
	}
	p, known := t.procedures[code]
	return p.kind, p.dose, known
}

// Product is the kind of vaccine that a product is.
func (t *Tables) Product(system, code string) (Kind, bool) {
	if system != SNOMED {
		return 0, false
	}
	k, known := t.products[code]
	return k, known
}

// Check is the kind of check that a code stands for.
func (t *Tables) Check(system, code string) (Kind, bool) {
	var table map[string]Kind
	switch system {
	case SNOMED:
		table = t.checks[0]
	case LOINC:
		table = t.checks[1]
	}
	k, known := table[code]
	return k, known
}

// Disease is a disease's bit in a set of diseases; known is false where the tables do not have it.
func (t *Tables) Disease(code string) (bit uint64, known bool) {
	bit, known = t.diseases[code]
	return bit, known
}

// Vaccine is the kind of vaccine against exactly these diseases, given by the bits of [Tables.Disease].
func (t *Tables) Vaccine(diseases uint64) (Kind, bool) {
	k, known := t.sets[diseases]
	return k, known
}

// Against tells whether a kind of vaccine is against all of these diseases, as part of a set of the tables.
func (t *Tables) Against(k Kind, diseases uint64) bool {
	for set, of := range t.sets {
		if of == k && diseases&^set == 0 {
			return true
		}
	}
	return false
}

// Done is what there is to know about a record besides its kind.
type Done struct {
	Day    calendar.Day
	Birth  Birth  // the zero value where it is not known
	Dose   uint8  // 0 where it is not known
	Cohort string // the cohort that the sender says; empty = by the birth date
}

// Answer says whether there is a programme, and why not.
type Answer uint8

// The answers. Those that need something say that a programme may be there, but what is known does not tell.
const (
	NotWatched  Answer = iota // no programme takes this kind at all
	NoSeason                  // the day, or the cohort, is in no season of a programme that takes it
	Outside                   // the age or dose is outside what the programmes take
	NeedsBirth                // the birth date is missing, or less of it is known than is needed
	NeedsDose                 // the dose is missing
	OtherCohort               // the cohort that the sender says is not that of the birth date
	Found
)

// Match is where a record counts.
type Match struct {
	Programme *programme.Programme
	Cohort    string // the season of a cohort programme
}

// Find is the programme that a record of a kind counts for. There is at most one: [Load] refuses tables in which there
// could be two.
func (t *Tables) Find(k Kind, d Done) (Match, Answer) {
	answer := NotWatched
	for i := range t.rows[k] {
		r := &t.rows[k][i]
		match, a := r.find(d)
		if a == Found {
			return match, Found
		}
		answer = max(answer, a)
	}
	return Match{}, answer
}

// Programmes are those that take a kind at all, whatever the day, the age and the dose.
func (t *Tables) Programmes(k Kind) func(yield func(*programme.Programme) bool) {
	return func(yield func(*programme.Programme) bool) {
		for i := range t.rows[k] {
			if !yield(t.rows[k][i].programme) {
				return
			}
		}
	}
}

// CohortOf is the season of a cohort programme that somebody belongs to by the birth date. NeedsBirth where that is not
// known well enough, OtherCohort where the listed one that the sender says cannot be it, NoSeason where no listed season is
// theirs, NotWatched where the tables have no rule for the programme.
func (t *Tables) CohortOf(p *programme.Programme, b Birth, said string) (season string, a Answer) {
	for _, rows := range t.rows {
		for i := range rows {
			if rows[i].programme.ID == p.ID && rows[i].birthday > 0 {
				return rows[i].cohort(b, said)
			}
		}
	}
	return "", NotWatched
}

// Takes tells whether a row leads from a kind to a programme, and Leads whether one does from any kind.
func (t *Tables) Takes(k Kind, p *programme.Programme) bool {
	for i := range t.rows[k] {
		if t.rows[k][i].programme.ID == p.ID {
			return true
		}
	}
	return false
}

// Leads tells whether any row leads to a programme.
func (t *Tables) Leads(p *programme.Programme) bool {
	for k := range t.rows {
		if t.Takes(Kind(k), p) {
			return true
		}
	}
	return false
}
