// Package admit decides what becomes of a record that a sender brought: which programme it is for, under which pseudonym
// and in which area its person counts, or why it cannot be taken. It does no input or output. It is the last place that
// sees an NHS number, a birth date or a postcode: an event that it lets through holds none of them.
package admit

import (
	"fmt"
	"io"
	"time"

	"gapwatch/services/internal/event"
)

// Submission is what a sender says in one item of a request: a CloudEvent, a FHIR resource, a row of a file. Decoders fill it
// in and judge nothing but the form. It holds personal data: it is never logged, and nothing keeps it after [Door.Admit].
type Submission struct {
	Source string    // URI of the sending system
	Record string    // the record's identity within Source, as the sender writes it
	Time   time.Time // when this version of the record was made, by the sender; never the clock of receipt

	// Status is what this version claims. At equal Time a retraction counts over a correction and that over a first version.
	Status event.Status
	// Revision says whether there may be an earlier version of the record.
	Revision Revision

	Type string // event.TypeVaccination or event.TypeHealthCheck

	// Who. Exactly one of NHSNumber (ten digits, spaces allowed as 3-3-4) and Person (a pseudonym made elsewhere with one of our
	// keys, PersonKey) is given; [Door.Admit] says which field is wrong.
	NHSNumber string
	Person    event.Pseudonym
	PersonKey string
	Previous  event.Pseudonym // with Person: the same person's pseudonym under the key before, needed during a key change
	BirthDate string          // YYYY-MM-DD, or less of it where the sender knows no more; empty = not given
	Postcode  string
	LSOA      string // where given, it is taken instead of the postcode

	// What. Programme is an id from programmes.yaml where the sender says it; otherwise the codes and the mapping decide.
	Programme  string
	Cohort     string
	Procedures []Code   // of the vaccination that was given
	Products   []Code   // of the vaccine
	Diseases   [][]Code // by protocol: all diseases that one element of protocolApplied names, or the one list of a row
	Checks     []Code   // of a health check
	Subpotent  bool     // the vaccination does not count
	Incomplete bool     // a check without a part that it needs (a blood pressure without diastolic): does not count
	Why        string   // why the sender's own words mean that it does not count (Subpotent, Incomplete, NotDone), for the answer; no values

	OccurredAt string // RFC 3339 or a date, as event data.occurredAt
	Dose       uint8  // 0 = not said
	// Doses are the doses by disease where one injection is several: Doses[i] goes with Diseases[i] (0 = not said), and the
	// dose is that of the element whose diseases map. nil where there is no more than one; then Dose says it.
	Doses     []uint8
	Ethnicity string
	Practice  string
	Provider  string
	Plus      []string

	// Where names where a part stands in the sender's own terms ("contained[0].birthDate", "PERSON_DOB"), by the name of
	// the field of this struct, for what Admit refuses. May be nil: then the field's own name is used.
	Where func(part string) string
}

// Format writes no part of the submission, whatever a log line or an error asks for.
func (Submission) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "a submission") }

// Code is a code of a code system.
type Code struct {
	System string // URI, such as http://snomed.info/sct
	Code   string
}

// The code systems that the mapping knows.
const (
	SNOMED = "http://snomed.info/sct"
	LOINC  = "http://loinc.org"
)

// Revision says which version of its record a submission is.
type Revision uint8

// What a sender may say about earlier versions. Only First promises that there is none; a record of unknown standing that
// maps to no programme is retracted, lest an earlier version go on counting.
const (
	UnknownRevision Revision = iota
	First
	Correction
)

// Problem says why an item cannot be taken. Sending it again unchanged cannot help.
type Problem struct {
	Reason string // one of Reasons: fit for a metric label
	Field  string // where, in the sender's terms; never a value
	Rule   string // the rule that is broken; never a value
}

// Error is reason, field and rule in one line, fit for a log and an answer.
func (p *Problem) Error() string { return p.Reason + ": " + p.Field + " " + p.Rule }
