package fhir

import (
	"strconv"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
)

// The extension of UK Core (and of the NHS immunisation API) that says which procedure was done.
const procedureExtension = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure"

func (r *reader) immunization(in *immunization) (sub admit.Submission, problem *admit.Problem) {
	for _, old := range [...]struct {
		there bool
		field string
	}{
		{in.WasNotGiven != nil, "wasNotGiven"}, {in.NotGiven != nil, "notGiven"}, {in.Date != nil, "date"},
		{in.VaccinationProtocol != nil, "vaccinationProtocol"}, {in.Reported != nil, "reported"},
		{in.Explanation != nil, "explanation"}, {in.Practitioner != nil, "practitioner"},
	} {
		if old.there {
			return sub, bad(admit.OldFHIR, old.field, "must not be there: it is not of FHIR R4, where status, occurrenceDateTime and protocolApplied say it")
		}
	}
	sub.Type = event.TypeVaccination
	r.places.occurred, r.places.checks, r.places.procedures = "occurrenceDateTime", "vaccineCode", "extension"
	r.places.diseases, r.places.dose = "protocolApplied", "protocolApplied"
	if sub.Source, sub.Record, problem = r.identify("Immunization", in.ID, in.Identifier); problem != nil {
		return sub, problem
	}
	if problem = mustUnderstand(in.ImplicitRules, in.ModifierExtension, ""); problem != nil {
		return sub, problem
	}
	switch in.Status {
	case "completed":
		sub.Status = event.Completed
	case "not-done":
		sub.Status, sub.Why = event.NotDone, "its status is not-done"
	case "entered-in-error":
		sub.Status = event.EnteredInError
	case "":
		return sub, missing("status", "must be there")
	default:
		return sub, bad(string(event.UnknownStatus), "status", "must be completed, entered-in-error or not-done")
	}
	if e := r.inEntry(); e != nil && e.deletion {
		sub.Status, sub.Why = event.EnteredInError, ""
	}
	sub.Revision = r.revision(in.Meta.VersionID)
	if sub.Time, problem = r.version(&in.Meta, in.Recorded, "recorded"); problem != nil {
		return sub, problem
	}
	if in.ExpirationDate != "" && !isDate(in.ExpirationDate) {
		return sub, bad(admit.BadValue, "expirationDate", "must be a date")
	}
	r.contained = in.Contained
	if problem = r.person(&sub, in.Patient, "patient", in.OccurrenceDateTime); problem != nil {
		return sub, problem
	}
	if problem = r.given(&sub, in); problem != nil {
		// What a retraction says beyond which record it retracts does not matter.
		if sub.Status != event.EnteredInError {
			return sub, problem
		}
		sub.Procedures, sub.Products, sub.Diseases, sub.Dose, sub.Doses = nil, nil, nil, 0, nil
		if day, ok := dateTime(in.OccurrenceDateTime); !day || !ok {
			sub.OccurredAt = ""
		}
	}
	if sub.Status == event.Completed && in.IsSubpotent {
		sub.Subpotent, sub.Why = true, "isSubpotent is true"
	}
	return sub, r.provider(&sub, in)
}

// given reads what was given and when.
func (r *reader) given(sub *admit.Submission, in *immunization) (problem *admit.Problem) {
	sub.OccurredAt = in.OccurrenceDateTime
	day, ok := dateTime(in.OccurrenceDateTime)
	switch {
	case in.OccurrenceDateTime != "" && in.OccurrenceString != "":
		return bad(admit.NotFHIR, "occurrenceString", "must not be there beside occurrenceDateTime")
	case in.OccurrenceString != "":
		return bad(admit.NotSupported, "occurrenceString", "must be occurrenceDateTime: a text says no day to count it on")
	case in.OccurrenceDateTime == "":
		return missing("occurrenceDateTime", "must be there")
	case !ok:
		return bad(string(event.BadDay), "occurrenceDateTime", "must be a date, or a date and a time with seconds and an offset")
	case !day:
		return bad(string(event.BadDay), "occurrenceDateTime", "must say the day")
	}
	for i, x := range in.Extension {
		if x.URL != procedureExtension {
			continue
		}
		if r.places.procedures == "extension" {
			r.places.procedures = index("extension", i) + ".valueCodeableConcept"
		}
		if x.ValueCodeableConcept == nil {
			continue
		}
		if sub.Procedures, problem = appendCodes(sub.Procedures, x.ValueCodeableConcept, index("extension", i)+".valueCodeableConcept", -1); problem != nil {
			return problem
		}
	}
	if in.VaccineCode == nil {
		return missing("vaccineCode", "must be there")
	}
	if sub.Products, problem = codes(in.VaccineCode, "vaccineCode", -1); problem != nil {
		return problem
	}
	return r.protocols(sub, in.ProtocolApplied)
}

// protocols reads against what it was given and the dose. A record without a dose number, or with a text for one, counts as one
// whose dose is not said.
func (r *reader) protocols(sub *admit.Submission, list []protocol) (problem *admit.Problem) {
	var doses []uint8
	for i, p := range list {
		at := index("protocolApplied", i)
		if problem = mustUnderstand("", p.ModifierExtension, at); problem != nil {
			return problem
		}
		dose, field, problem := p.dose(at)
		if problem != nil {
			return problem
		}
		var diseases []admit.Code
		for n := range p.TargetDisease {
			if diseases, problem = appendCodes(diseases, &p.TargetDisease[n], at+".targetDisease", n); problem != nil {
				return problem
			}
		}
		if len(list) == 1 {
			sub.Dose = dose
			r.places.dose = field
		} else {
			doses = append(doses, dose)
		}
		// One that names no disease keeps its place: Doses goes by it.
		if len(diseases) > 0 || len(list) > 1 {
			sub.Diseases = append(sub.Diseases, diseases)
		}
	}
	sub.Doses = doses
	return nil
}

// dose reads doseNumber[x]. doseNumberString is taken for a number only if it is nothing else ("2"); other words ("booster",
// "dose number unknown") leave the dose unsaid, as the NHS immunisation API sends them.
func (p *protocol) dose(at string) (uint8, string, *admit.Problem) {
	number, text := at+".doseNumberPositiveInt", at+".doseNumberString"
	switch {
	case p.DoseNumber != nil:
		return 0, "", bad(admit.OldFHIR, at+".doseNumber", "must be doseNumberPositiveInt: FHIR R5 is not taken")
	case p.DoseNumberPositiveInt != nil && p.DoseNumberString != "":
		return 0, "", bad(admit.NotFHIR, text, "must not be there beside doseNumberPositiveInt")
	case p.DoseNumberPositiveInt != nil:
		if n := *p.DoseNumberPositiveInt; n >= 1 && n <= event.MaxDose {
			return uint8(n), number, nil
		}
		return 0, "", bad(string(event.BadDose), number, "must be 1 to 9")
	}
	if n, err := strconv.ParseUint(p.DoseNumberString, 10, 64); err == nil {
		if n < 1 || n > event.MaxDose {
			return 0, "", bad(string(event.BadDose), text, "must be 1 to 9 where it is a number")
		}
		return uint8(n), text, nil
	}
	return 0, text, nil
}

// provider finds who did it: the organisation that performed it, else where it was done. Ordering it is not doing it.
func (r *reader) provider(sub *admit.Submission, in *immunization) *admit.Problem {
	for i, p := range in.Performer {
		if len(p.ModifierExtension) > 0 {
			return mustUnderstand("", p.ModifierExtension, index("performer", i))
		}
		if p.Actor == nil || p.Function != nil && ordered(p.Function) {
			continue
		}
		if code, ok := r.organisation(p.Actor, 0); ok {
			sub.Provider, r.places.provider = code, index("performer", i)+".actor"
			return nil
		}
	}
	if in.Location != nil {
		if code, ok := r.organisation(in.Location, 0); ok {
			sub.Provider, r.places.provider = code, "location"
		}
	}
	return nil
}

// ordered tells whether a function is that of the one who ordered it (HL7 table 0443, OP).
func ordered(function *concept) bool {
	for _, x := range function.Coding {
		if x.Code == "OP" {
			return true
		}
	}
	return false
}
