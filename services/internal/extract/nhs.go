package extract

import (
	"strings"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
)

// The systems of ODS codes in SITE_CODE_TYPE_URI.
const (
	odsURI     = "https://fhir.nhs.uk/Id/ods-organization-code"
	odsSiteURI = "https://fhir.nhs.uk/Id/ods-site-code"
)

var nhsFormat = format{
	layout: NHSBatch, columns: nhsRead[:], comma: '|', record: nhsUniqueID, source: nhsUniqueIDURI,
	needs:  nhsNeeds,
	submit: submitNHS,
}

func nhsNeeds(has func(int) bool, o *Options) []string {
	if !has(nhsRecordedDate) && o.Time.IsZero() {
		return []string{"column RECORDED_DATE must be there, unless the request says the time of the extract"}
	}
	return nil
}

// submitNHS goes by the NHS's own converter (NHSDigital/immunisation-fhir-api, lambdas/recordprocessor) and its validators.
func submitNHS(s *admit.Submission, values []string, o *Options) *admit.Problem {
	s.Type = event.TypeVaccination
	s.Where = whereNHS
	if !o.Time.IsZero() {
		s.Where = whereNHSTimed
	}
	switch strings.ToUpper(values[nhsActionFlag]) {
	case "NEW": // an extract that is made anew in full may say so again, of what has changed since
		s.Status, s.Revision = event.Completed, admit.UnknownRevision
	case "UPDATE":
		s.Status, s.Revision = event.Completed, admit.Correction
	case "DELETE":
		s.Status, s.Revision = event.EnteredInError, admit.Correction
	default:
		return problem(admit.BadRevision, nhsRead[nhsActionFlag].Name, "must be new, update or delete")
	}
	if s.Time = o.Time; s.Time.IsZero() {
		text := values[nhsRecordedDate]
		if text == "" {
			return problem(string(event.MissingField), nhsRead[nhsRecordedDate].Name, "must be there, unless the request says the time of the extract")
		}
		date, ok := parseDate8(text)
		if ok {
			s.Time, ok = midnight(date)
		}
		if !ok {
			return problem(string(event.BadTime), nhsRead[nhsRecordedDate].Name, "must be YYYYMMDD, unless the request says the time of the extract")
		}
	}
	s.NHSNumber = values[nhsNumber]
	s.Postcode = values[nhsPostcode]
	s.Provider = nhsProvider(values[nhsSite], values[nhsSiteURI])
	return nhsWhat(s, values)
}

// nhsWhat reads what was done. A deletion takes the record back whatever it says here, so nothing that is wrong stops it.
func nhsWhat(s *admit.Submission, values []string) (found *admit.Problem) {
	wrong := func(reason string, column int, rule string) {
		if found == nil && s.Status != event.EnteredInError {
			found = problem(reason, nhsRead[column].Name, rule)
		}
	}
	var ok bool
	if text := values[nhsDateAndTime]; text != "" {
		if s.OccurredAt, ok = parseDateAndTime(text); !ok {
			wrong(string(event.BadDay), nhsDateAndTime, "must be YYYYMMDDThhmmss, with 00 or 01 (hours ahead of UTC) behind it or nothing, or YYYYMMDD")
		}
	}
	if s.Procedures, ok = parseCodes(values[nhsProcedure], false); !ok {
		wrong(admit.BadCode, nhsProcedure, snomedRule)
	}
	// The NHS takes anything for a product, so where the procedure is clear a product that is no code is none.
	if s.Products, ok = parseCodes(values[nhsProduct], false); !ok && !nullFlavour(values[nhsProduct]) && values[nhsProcedure] == "" {
		wrong(admit.BadCode, nhsProduct, snomedRule)
	}
	if s.Dose, ok = parseDose(values[nhsDose]); !ok {
		wrong(string(event.BadDose), nhsDose, doseRule)
	}
	if text := values[nhsBirthDate]; text != "" {
		if s.BirthDate, ok = parseDate8(text); !ok {
			s.BirthDate = ""
			wrong(admit.BadBirthDate, nhsBirthDate, "must be YYYYMMDD")
		}
	}
	return found
}

// nullFlavour tells whether a code is one that stands for a product that is not known.
func nullFlavour(code string) bool {
	switch code {
	case "NA", "NAVU", "UNC", "UNK":
		return true
	}
	return false
}

// nhsProvider is the ODS code of a site; empty if there is none, or one that stands for an unknown site.
func nhsProvider(site, uri string) string {
	site = strings.ToUpper(site)
	if uri != odsURI && uri != odsSiteURI || site == "X99999" || site == "X99998" {
		return ""
	}
	return site
}

// whereNHS is the column that a part of a submission is from.
func whereNHS(part string) string {
	column := -1
	switch part {
	case "Source":
		column = nhsUniqueIDURI
	case "Record":
		column = nhsUniqueID
	case "Time":
		column = nhsRecordedDate
	case "Status", "Revision":
		column = nhsActionFlag
	case "NHSNumber", "Person", "PersonKey":
		column = nhsNumber
	case "BirthDate", "Cohort":
		column = nhsBirthDate
	case "Postcode", "LSOA":
		column = nhsPostcode
	case "Procedures", "Programme", "Type", "Diseases", "Subpotent":
		column = nhsProcedure
	case "Products":
		column = nhsProduct
	case "OccurredAt":
		column = nhsDateAndTime
	case "Dose":
		column = nhsDose
	case "Provider":
		column = nhsSite
	}
	if column < 0 {
		return inRow
	}
	return nhsRead[column].Name
}

// whereNHSTimed is whereNHS where the request says the time.
func whereNHSTimed(part string) string {
	if part == "Time" {
		return "time of the extract"
	}
	return whereNHS(part)
}
