package extract

import (
	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
)

// The reasons that a file can be wrong for in itself.
const (
	BadFile      = "bad file"     // it is no CSV file of the layout, or a row never ends: the rest of it is not read
	BadRow       = "bad row"      // the row has not as many fields as the header, a quote or a control character where none may be
	BadEncoding  = "encoding"     // characters that are not in the encoding
	BadRevision  = "bad revision" // neither new nor update nor delete
	BadBirthDate = "bad birth date"
	BadCode      = "bad code" // no SNOMED CT or LOINC code, or both kinds of record in one row
)

// Reasons is every reason of an [Item]'s Problem; some are those of an event.
var Reasons = []string{
	BadFile, BadRow, BadEncoding, BadRevision, BadBirthDate, BadCode,
	string(event.MissingField), string(event.BadTime), string(event.BadDay), string(event.BadDose), string(event.UnknownStatus),
}

// The fields of a Problem that are no columns.
const (
	inFile   = "file"
	inHeader = "header"
	inRow    = "row"
)

func problem(reason, field, rule string) *admit.Problem {
	return &admit.Problem{Reason: reason, Field: field, Rule: rule}
}

func missing(column string) *admit.Problem {
	return problem(string(event.MissingField), column, "must be there")
}
