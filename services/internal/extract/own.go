package extract

import (
	"strings"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
)

var ownFormat = format{
	layout: Own, columns: own[:], record: ownRecord, source: ownSource,
	needs:  ownNeeds,
	submit: submitOwn,
}

func ownNeeds(has func(int) bool, o *Options) (wrong []string) {
	if !has(ownProgramme) && !has(ownProcedure) && !has(ownProduct) && !has(ownCheck) {
		wrong = append(wrong, "one of the columns programme, procedure_code, product_code and check_code must be there")
	}
	if !has(ownSource) && o.Source == "" {
		wrong = append(wrong, "column source must be there, as the sender has no source of its own")
	}
	if !has(ownTime) && o.Time.IsZero() {
		wrong = append(wrong, "column time must be there, unless the request says the time of the extract")
	}
	return wrong
}

func submitOwn(s *admit.Submission, values []string, o *Options) *admit.Problem {
	s.Where = whereOwn
	if p := ownVersion(s, values, o); p != nil {
		return p
	}
	s.NHSNumber = values[ownNHSNumber]
	s.Postcode = values[ownPostcode]
	s.LSOA = strings.ToUpper(values[ownLSOA])
	s.Programme = values[ownProgramme]
	s.Cohort = values[ownCohort]
	s.OccurredAt = values[ownOccurredAt]
	if s.Ethnicity = strings.ToUpper(values[ownEthnicity]); s.Ethnicity == "99" {
		s.Ethnicity = "" // not known: the same as nothing said
	}
	s.Practice = strings.ToUpper(values[ownPractice])
	s.Provider = strings.ToUpper(values[ownProvider])
	if values[ownPlus] != "" {
		s.Plus = strings.FieldsFunc(values[ownPlus], isGap)
	}
	return ownWhat(s, values)
}

// ownVersion reads which version of the record the row is, and what it claims.
func ownVersion(s *admit.Submission, values []string, o *Options) *admit.Problem {
	switch strings.ToLower(values[ownStatus]) {
	case "", "completed":
		s.Status = event.Completed
	case "not-done":
		s.Status = event.NotDone
	case "entered-in-error":
		s.Status = event.EnteredInError
	default:
		return problem(string(event.UnknownStatus), own[ownStatus].Name, "must be completed, entered-in-error or not-done, or empty")
	}
	switch strings.ToLower(values[ownRevision]) {
	case "":
	case "new":
		s.Revision = admit.First
	case "update":
		s.Revision = admit.Correction
	case "delete":
		s.Status = event.EnteredInError
	default:
		return problem(admit.BadRevision, own[ownRevision].Name, "must be new, update or delete, or empty")
	}
	if s.Status == event.EnteredInError {
		s.Revision = admit.Correction // there was something to take back, whatever revision says
	}
	text := values[ownTime]
	if text == "" {
		if s.Time = o.Time; s.Time.IsZero() {
			return missing(own[ownTime].Name)
		}
		return nil
	}
	var ok bool
	if s.Time, ok = parseVersion(text); !ok {
		return problem(string(event.BadTime), own[ownTime].Name, "must be a time with its offset (2026-10-03T09:30:00+01:00) or a date (2026-10-03)")
	}
	return nil
}

// ownWhat reads what was done: a vaccination or a health check. What takes a record back does so whatever it says here, as
// long as it is clear which of the two the record is.
func ownWhat(s *admit.Submission, values []string) (found *admit.Problem) {
	wrong := func(reason string, column int, rule string) {
		if found == nil && s.Status != event.EnteredInError {
			found = problem(reason, own[column].Name, rule)
		}
	}
	vaccination, check := values[ownProcedure] != "" || values[ownProduct] != "", values[ownCheck] != ""
	switch {
	case vaccination && check:
		return problem(admit.BadCode, own[ownCheck].Name, "must be empty where there is a procedure_code or product_code: a row is a vaccination or a check")
	case vaccination:
		s.Type = event.TypeVaccination
	case check:
		s.Type = event.TypeHealthCheck
	case s.Programme == "":
		return problem(string(event.MissingField), own[ownProgramme].Name, "must be there where there is neither procedure_code nor product_code nor check_code")
	}
	var ok bool
	if s.Procedures, ok = parseCodes(values[ownProcedure], false); !ok {
		wrong(admit.BadCode, ownProcedure, snomedRule)
	}
	if s.Products, ok = parseCodes(values[ownProduct], false); !ok {
		wrong(admit.BadCode, ownProduct, snomedRule)
	}
	if s.Checks, ok = parseCodes(values[ownCheck], true); !ok {
		wrong(admit.BadCode, ownCheck, "must be SNOMED CT or LOINC codes, at most 8: is it what a spreadsheet made of one?")
	}
	if s.Dose, ok = parseDose(values[ownDose]); !ok {
		wrong(string(event.BadDose), ownDose, doseRule)
	}
	if s.BirthDate = values[ownBirthDate]; s.BirthDate != "" && !isBirthDate(s.BirthDate) {
		s.BirthDate = ""
		wrong(admit.BadBirthDate, ownBirthDate, "must be YYYY-MM-DD, YYYY-MM or YYYY")
	}
	return found
}

const (
	snomedRule = "must be SNOMED CT codes with their check digit, at most 8: is it what a spreadsheet made of one?"
	doseRule   = "must be a whole number from 1 to 9, or empty"
)

// parseDose reads 1 to 9; 0 stands for empty.
func parseDose(text string) (uint8, bool) {
	switch {
	case text == "":
		return 0, true
	case len(text) == 1 && '1' <= text[0] && text[0] <= '9':
		return text[0] - '0', true
	}
	return 0, false
}

// whereOwn is the column that a part of a submission is from.
func whereOwn(part string) string {
	column := -1
	switch part {
	case "Source":
		column = ownSource
	case "Record":
		column = ownRecord
	case "Time":
		column = ownTime
	case "Status":
		column = ownStatus
	case "Revision":
		column = ownRevision
	case "NHSNumber", "Person", "PersonKey":
		column = ownNHSNumber
	case "BirthDate":
		column = ownBirthDate
	case "Postcode":
		column = ownPostcode
	case "LSOA":
		column = ownLSOA
	case "Programme", "Type":
		column = ownProgramme
	case "Cohort":
		column = ownCohort
	case "Procedures", "Diseases", "Subpotent":
		column = ownProcedure
	case "Products":
		column = ownProduct
	case "Checks", "Incomplete":
		column = ownCheck
	case "OccurredAt":
		column = ownOccurredAt
	case "Dose":
		column = ownDose
	case "Ethnicity":
		column = ownEthnicity
	case "Practice":
		column = ownPractice
	case "Provider":
		column = ownProvider
	case "Plus":
		column = ownPlus
	}
	if column < 0 {
		return inRow
	}
	return own[column].Name
}
