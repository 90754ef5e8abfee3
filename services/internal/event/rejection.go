package event

import "slices"

// Reason is why a message can never be accepted. The list is closed: every rejection has one of these, and each is the
// value of a metric label and of a dead letter's header, so it never holds anything of the message.
type Reason string

// What is wrong with the message as a whole; the field is "payload" or "subject", or the key that is given twice.
const (
	TooLarge        Reason = "too large"        // more than MaxBytes
	NotUTF8         Reason = "not UTF-8"        // bytes that are no UTF-8
	NotJSON         Reason = "not JSON"         // not one JSON value (RFC 8259)
	DuplicateKey    Reason = "duplicate key"    // an object, at any depth, has a key twice: which one counts is anybody's guess
	TooDeep         Reason = "nested too deep"  // more than MaxDepth objects and arrays in each other
	NHSNumber       Reason = "NHS number"       // something in it looks like an NHS number, see [HoldsNHSNumber]
	SubjectMismatch Reason = "subject mismatch" // subject and type or data.programme disagree
)

// What is wrong with the CloudEvents attributes.
const (
	NotCloudEvent Reason = "not a CloudEvent" // no object, no specversion 1.0, a required attribute missing or not a string
	UnknownType   Reason = "unknown type"     // type is none that is taken
	BadIdentifier Reason = "bad identifier"   // id, data.record, data.personKey or data.cohort breaks its pattern
	BadSource     Reason = "bad source"       // source is no absolute URI of at most 255 characters
	BadTime       Reason = "bad time"         // time is no RFC 3339 time, before 1900 or more than MaxAhead ahead
)

// What is wrong with data.
const (
	MissingField     Reason = "missing field"     // a required field is missing or null
	NotPseudonym     Reason = "not a pseudonym"   // data.person or data.personPrevious is not 32 lower-case hex digits, or both are the same
	UnknownStatus    Reason = "unknown status"    // data.status
	UnknownProgramme Reason = "unknown programme" // data.programme is not in programmes.yaml
	NoSeason         Reason = "no season"         // data.occurredAt lies in no season of the programme, or data.cohort is none of its seasons
	BadDay           Reason = "bad day"           // data.occurredAt is no time or date, before 1900 or after today
	BadDose          Reason = "bad dose"          // data.dose is not 1 to 9, or is given for a health check
	BadLSOA          Reason = "bad LSOA"          // data.lsoa is not an LSOA code
	BadEthnicity     Reason = "bad ethnicity"     // data.ethnicity is not a code of the NHS ethnic category 2001
	BadODSCode       Reason = "bad ODS code"      // data.practice or data.provider
	BadGroups        Reason = "bad groups"        // data.plus is not a list of at most 16 PLUS groups
	BadCorrection    Reason = "bad correction"    // data.correction is not true or false
)

// Reasons is every reason there is.
var Reasons = []Reason{
	TooLarge, NotUTF8, NotJSON, DuplicateKey, TooDeep, NHSNumber, SubjectMismatch,
	NotCloudEvent, UnknownType, BadIdentifier, BadSource, BadTime,
	MissingField, NotPseudonym, UnknownStatus, UnknownProgramme, NoSeason, BadDay, BadDose, BadLSOA, BadEthnicity,
	BadODSCode, BadGroups, BadCorrection,
}

// Fields is every value of [Rejection.Field]: the fields of the contract, and where else something can be wrong. Like
// reasons, they are fit for a table or a metric: nothing of the message is among them.
var Fields = append(slices.Clone(fieldNames[:]), "payload", "subject", "header", "extra field")

// Rejection says why a message can never be accepted. Trying again cannot help: the answer is a dead letter.
type Rejection struct {
	Reason Reason
	Field  string // where: "data.person", "subject", "payload"; "extra field" for one the contract does not know
	Detail string // the rule that is broken; never anything out of the message

	// Payload: the message may be kept as it is, to be sent again after a repair elsewhere (a season that was not
	// listed). It parsed, its person is a pseudonym and nothing in it looks like an NHS number.
	Payload bool
	// Identifying: something in message or subject looks like an NHS number. It must be removed from the stream.
	Identifying bool
}

// Error is reason, field and rule in one line, fit for a log.
func (r *Rejection) Error() string {
	return string(r.Reason) + ": " + r.Field + " " + r.Detail
}
