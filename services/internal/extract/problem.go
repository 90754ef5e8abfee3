package extract

import (
	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
)

// Reasons is every reason of an [Item]'s Problem.
var Reasons = []string{
	admit.BadFile, admit.BadRow, admit.BadEncoding, admit.BadRevision, admit.BadBirthDate, admit.BadCode, string(event.MissingField),
	string(event.BadTime), string(event.BadDay), string(event.BadDose), string(event.UnknownStatus),
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
