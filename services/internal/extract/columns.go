package extract

import (
	"fmt"
	"strings"
)

// Column is a column of a layout.
type Column struct {
	Name string
	// Need tells when a file must have the column: "always", "no", "not read" (better left out), or on what it depends.
	Need  string
	Holds string // what it may hold, for people
}

const (
	always  = "always"
	no      = "no"
	notRead = "not read"
)

// The columns of our own layout that a row's values are kept by.
const (
	ownNHSNumber = iota
	ownRecord
	ownOccurredAt
	ownTime
	ownSource
	ownRevision
	ownStatus
	ownProgramme
	ownProcedure
	ownProduct
	ownCheck
	ownDose
	ownCohort
	ownBirthDate
	ownPostcode
	ownLSOA
	ownEthnicity
	ownPractice
	ownProvider
	ownPlus
	ownColumns
)

const aCode = "; a file has at least one of programme, procedure_code, product_code and check_code, and so has a row"

var own = [ownColumns]Column{
	ownNHSNumber:  {"nhs_number", always, "NHS number: ten digits, together or as 3-3-4. It becomes a pseudonym at the door and goes no further"},
	ownRecord:     {"record", always, "the record's own id within the source; the same in every correction and deletion of it"},
	ownOccurredAt: {"occurred_at", always, "when it was done: a date (2026-10-03) or a time with its offset (2026-10-03T09:30:00+01:00)"},
	ownTime: {"time", "unless the request says the extract's time", "when this version of the record was made: a time with its offset, " +
		"or a date, which is taken as midnight in London. Where it is empty: the extract's time"},
	ownSource:    {"source", "unless the sender has a source of its own", "URI of the system that the record is from. Where it is empty: the sender's own"},
	ownRevision:  {"revision", no, "new (the record was never sent before), update or delete. Empty: nobody knows, which is safe too. Delete takes the record back whatever status says"},
	ownStatus:    {"status", no, "completed (or empty), entered-in-error (takes the record back) or not-done (does not count)"},
	ownProgramme: {"programme", no, "id of the programme, such as flu-65. Where it is empty the codes decide" + aCode},
	ownProcedure: {"procedure_code", no, "SNOMED CT codes of the vaccination procedure, with a space or | between. All digits: a spreadsheet that rounds them to 15 is noticed"},
	ownProduct:   {"product_code", no, "SNOMED CT (dm+d) codes of the vaccine, likewise"},
	ownCheck:     {"check_code", no, "SNOMED CT or LOINC codes of a health check, likewise. A row is a vaccination or a check, not both"},
	ownDose:      {"dose", no, "which dose it was, 1 to 9; empty if it is not known"},
	ownCohort:    {"cohort", no, "for cohort programmes the cohort's season; where it is empty the birth date decides"},
	ownBirthDate: {"birth_date", no, "2026-10-03, or 2026-10 or 2026 where no more is known. It decides about programmes for an age and goes no further than the door"},
	ownPostcode:  {"postcode", no, "where the person lived when it was done. It becomes an LSOA at the door and goes no further"},
	ownLSOA:      {"lsoa", no, "LSOA code of 2011 or 2021; taken instead of the postcode where there are both"},
	ownEthnicity: {"ethnicity", no, "NHS ethnic category 2001: one of A to S, or Z; 99 (not known) is the same as empty"},
	ownPractice:  {"practice", no, "ODS code of the practice that the person is registered with"},
	ownProvider:  {"provider", no, "ODS code of who did it"},
	ownPlus:      {"plus", no, "PLUS groups, such as smi or ld, with a space or | between"},
}

// The columns of the NHS layout that are read.
const (
	nhsNumber = iota
	nhsUniqueID
	nhsUniqueIDURI
	nhsActionFlag
	nhsDateAndTime
	nhsRecordedDate
	nhsProcedure
	nhsProduct
	nhsDose
	nhsBirthDate
	nhsPostcode
	nhsSite
	nhsSiteURI
	nhsColumns
)

// nhsRead are the columns that are read, nhsOrder all of them in the order of the specification.
var nhsRead = [nhsColumns]Column{
	nhsNumber:      {"NHS_NUMBER", always, "as nhs_number of our own layout"},
	nhsUniqueID:    {"UNIQUE_ID", always, "the record's id; the same in every update and delete of it"},
	nhsUniqueIDURI: {"UNIQUE_ID_URI", always, "URI of the system that the record is from: the source"},
	nhsActionFlag:  {"ACTION_FLAG", always, "new, update or delete, in capitals or not. That a record is new is not relied on: extracts made anew in full say so again"},
	nhsDateAndTime: {"DATE_AND_TIME", always, "when it was given: YYYYMMDDThhmmss and the hours ahead of UTC as 00 or 01; without them UTC is meant. A date alone, YYYYMMDD, is taken too"},
	nhsRecordedDate: {"RECORDED_DATE", "unless the request says the extract's time", "YYYYMMDD. Without the extract's time, midnight in London of this day is the time of the version: a second " +
		"update of a record is then as old as the first, and the content decides which of them counts. So say the extract's time"},
	nhsProcedure: {"VACCINATION_PROCEDURE_CODE", always, "SNOMED CT code of the procedure"},
	nhsProduct:   {"VACCINE_PRODUCT_CODE", always, "SNOMED CT (dm+d) code of the vaccine; empty, NA, NAVU, UNC or UNK if it is not known. What is no such code is left aside where there is a VACCINATION_PROCEDURE_CODE"},
	nhsDose:      {"DOSE_SEQUENCE", always, "1 to 9; empty if it is not recorded"},
	nhsBirthDate: {"PERSON_DOB", always, "YYYYMMDD"},
	nhsPostcode:  {"PERSON_POSTCODE", always, "as postcode of our own layout"},
	nhsSite:      {"SITE_CODE", always, "who gave it: an ODS code if SITE_CODE_TYPE_URI says so; otherwise it is not read"},
	nhsSiteURI:   {"SITE_CODE_TYPE_URI", always, "https://fhir.nhs.uk/Id/ods-organization-code (or ods-site-code) for an ODS code"},
}

var nhsOrder = strings.Fields(`NHS_NUMBER PERSON_FORENAME PERSON_SURNAME PERSON_DOB PERSON_GENDER_CODE PERSON_POSTCODE DATE_AND_TIME
	SITE_CODE SITE_CODE_TYPE_URI UNIQUE_ID UNIQUE_ID_URI ACTION_FLAG PERFORMING_PROFESSIONAL_FORENAME
	PERFORMING_PROFESSIONAL_SURNAME RECORDED_DATE PRIMARY_SOURCE VACCINATION_PROCEDURE_CODE VACCINATION_PROCEDURE_TERM
	DOSE_SEQUENCE VACCINE_PRODUCT_CODE VACCINE_PRODUCT_TERM VACCINE_MANUFACTURER BATCH_NUMBER EXPIRY_DATE
	SITE_OF_VACCINATION_CODE SITE_OF_VACCINATION_TERM ROUTE_OF_VACCINATION_CODE ROUTE_OF_VACCINATION_TERM DOSE_AMOUNT
	DOSE_UNIT_CODE DOSE_UNIT_TERM INDICATION_CODE LOCATION_CODE LOCATION_CODE_TYPE_URI`)

// Columns are the columns of a layout; none for [ByHeader].
func Columns(l Layout) []Column {
	switch l {
	case Own:
		return own[:]
	case NHSBatch:
		all := make([]Column, len(nhsOrder))
		for i, name := range nhsOrder {
			all[i] = Column{name, notRead, "best left out of the file, or left empty"}
			for _, c := range nhsRead {
				if c.Name == name {
					all[i] = c
				}
			}
		}
		return all
	}
	return nil
}

// guide is schemas/CSV.md around the tables.
const guide = `# The columns of a CSV extract

Made from services/internal/extract (` + "`go test ./services/internal/extract -update`" + `). How to send one: [for senders](SENDERS.md).

The first row names the columns, in any order and case. Commas, semicolons, tabs and bars all separate, quotes are as in any
spreadsheet. A column that is not listed is refused, lest a mistyped one be lost.

Neither the order of the rows nor that of the files matters. Of two versions of a record the one with the later time counts; at
the same time delete counts over update and update over new, and a version that counts for a programme over one that is for none
(an age outside, another vaccine). Between two that are equal in that, too, the content decides, not which came last. So a file
should hold a record once, as it is when the extract is made, or say a time of its own for each version.

## Gapwatch's own columns

%s
## The NHS vaccination batch layout

%s`

// Guide is schemas/CSV.md: the columns of both layouts, for whoever sends extracts.
func Guide() string { return fmt.Sprintf(guide, table(Own), table(NHSBatch)) }

// table is [Columns] as a Markdown table. The columns that are not read are one row of it.
func table(l Layout) string {
	var b strings.Builder
	b.WriteString("| column | must be there | holds |\n| --- | --- | --- |\n")
	row := func(c Column) {
		b.WriteString("| " + c.Name + " | " + c.Need + " | " + strings.ReplaceAll(c.Holds, "|", `\|`) + " |\n")
	}
	rest := Column{Need: notRead}
	for _, c := range Columns(l) {
		if c.Need != notRead {
			row(c)
			continue
		}
		if rest.Name != "" {
			rest.Name += ", "
		}
		rest.Name += c.Name
		rest.Holds = c.Holds
	}
	if rest.Name != "" {
		row(rest)
	}
	return b.String()
}
