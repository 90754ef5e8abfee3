package fhir

import (
	"time"

	"gapwatch/services/internal/event"
)

// instant reads the FHIR type instant: a date and a time with an offset.
func instant(text string) (time.Time, bool) {
	if len(text) < len("2006-01-02T15:04:05Z") || text[10] != 'T' || text[len(text)-1] == 'z' {
		return time.Time{}, false
	}
	return event.ParseTime(text)
}

// dateTime tells whether text is of the FHIR type dateTime (a year, a month, a day, or a time with an offset), and whether it
// says the day.
func dateTime(text string) (day, ok bool) {
	if len(text) > len(time.DateOnly) {
		_, ok := instant(text)
		return ok, ok
	}
	return len(text) == len(time.DateOnly), isDate(text)
}

// isDate tells whether text is of the FHIR type date: a year, a month or a day that there is.
func isDate(text string) bool {
	const rest = "0000-01-01"
	switch len(text) {
	case len("2006"), len("2006-01"), len(time.DateOnly):
	default:
		return false
	}
	if text[:4] == "0000" {
		return false
	}
	_, err := time.Parse(time.DateOnly, text+rest[len(text):])
	return err == nil
}
