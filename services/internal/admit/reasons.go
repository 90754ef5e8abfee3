package admit

import "gapwatch/services/internal/event"

// What is wrong with an item beyond the reasons of package event.
const (
	BadNHSNumber  = "bad NHS number" // no ten digits, or they fail the modulus 11 check
	BadBirthDate  = "bad birth date" // no date, in the future, or less of one than the programme needs
	CodesDisagree = "codes disagree" // procedure and disease, or two programmes, or cohort and birth date
	BadPersonKey  = "bad person key" // a pseudonym under a key that is not one of ours
	NotAllowed    = "not allowed"    // the sender may not send this source or programme
	PersonalData  = "personal data"  // birth date or postcode stands in a field that is kept
	BadFile       = "bad file"       // a file that cannot be read on: header, quote never closed
	BadRow        = "bad row"        // a row that is none: number of fields, quotes
	BadEncoding   = "encoding"       // bytes that are not of the encoding
	BadRevision   = "bad revision"   // the action or revision of the record
	BadCode       = "bad code"       // no SNOMED or LOINC code, or its check digit fails
	BadValue      = "bad value"      // a value of another kind than its field
	NotFHIR       = "not FHIR"       // no FHIR R4 JSON
	BadPatient    = "bad patient"    // no patient, several, or a reference to none
	OldFHIR       = "old FHIR"       // a shape from before R4, such as wasNotGiven
	NotSupported  = "not supported"  // a resource or a form of it that is not taken
	BadTransfer   = "bad transfer"   // the request as a whole: cut short, too large, badly compressed
)

// Reasons is every value of [Problem.Reason]: a closed list, fit for a metric label.
var Reasons = reasons()

func reasons() []string {
	all := []string{
		BadNHSNumber, BadBirthDate, CodesDisagree, BadPersonKey, NotAllowed, PersonalData, BadFile, BadRow, BadEncoding,
		BadRevision, BadCode, BadValue, NotFHIR, BadPatient, OldFHIR, NotSupported, BadTransfer,
	}
	for _, r := range event.Reasons {
		all = append(all, string(r))
	}
	return all
}
