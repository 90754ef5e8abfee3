// Package event says what a Gapwatch event is and refuses what is not one. It reads and writes nothing but bytes.
package event

import (
	"encoding/hex"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// The CloudEvents types that are taken.
const (
	TypeVaccination = programme.TypeVaccination
	TypeHealthCheck = programme.TypeHealthCheck
)

// Status says what a version of a record claims.
type Status uint8

// The values are those of the Enum8 in prevention.events.
const (
	Completed      Status = 1
	NotDone        Status = 2 // never counts
	EnteredInError Status = 3 // retracts the record
)

// String is the status as it is written in data.status; empty for what is none.
func (s Status) String() string {
	switch s {
	case Completed:
		return "completed"
	case NotDone:
		return "not-done"
	case EnteredInError:
		return "entered-in-error"
	}
	return ""
}

// Pseudonym is a person's pseudonym: 128 bits, written as 32 lower-case hex digits. The zero value means "none".
type Pseudonym [16]byte

func (p Pseudonym) String() string { return hex.EncodeToString(p[:]) }

// RecordID names a record for good: a 128-bit hash of source and record (see [NewRecordID]).
type RecordID [16]byte

// Version orders the versions of one record: the greatest decides. It is built from the content alone, so that the
// order of arrival never matters: the time it was made at, then retraction before correction before first, then a hash.
type Version struct {
	Micros     int64  // data version time, microseconds since 1970
	Precedence uint64 // top 8 bits: 2 retraction, 1 correction, 0 first; low 56 bits: hash of the content
}

// Less tells whether v is older than w.
func (v Version) Less(w Version) bool {
	if v.Micros != w.Micros {
		return v.Micros < w.Micros
	}
	return v.Precedence < w.Precedence
}

// Event is one valid event, ready to be stored.
type Event struct {
	ID, Source string
	Type       string
	Time       time.Time // when this version of the record was made
	Record     string
	RecordID   RecordID
	Version    Version
	Status     Status
	Correction bool // data.correction: this version corrects an earlier one made at the same time
	Person     Pseudonym
	PersonKey  string
	Previous   Pseudonym // the same person's pseudonym under the key before; zero if none
	Programme  string
	Season     string // the season it is counted in: of the day, or data.cohort
	Cohort     string // data.cohort; only for cohort programmes, where it is the season
	Day        calendar.Day
	Dose       uint8 // 0 if not said
	LSOA       string
	Ethnicity  string
	Practice   string
	Provider   string
	Plus       []string // PLUS groups, sorted, each once
}
