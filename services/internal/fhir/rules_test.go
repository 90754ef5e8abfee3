package fhir

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
)

// edit replaces texts of a resource, each of which must be there once: pairs of what is and what shall be.
func edit(t testing.TB, text string, pairs ...string) []byte {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if strings.Count(text, pairs[i]) != 1 {
			t.Fatalf("%q is there %d times", pairs[i], strings.Count(text, pairs[i]))
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return []byte(text)
}

var options = Options{Source: "https://sender.example/fhir"}

func TestImmunization(t *testing.T) {
	sub, problem, skip := Decode([]byte(sample), options)
	if problem != nil || skip {
		t.Fatal(problem, skip)
	}
	places := map[string]string{
		"Source": "identifier[0].system", "Record": "identifier[0].value", "Time": "meta.lastUpdated", "Status": "status",
		"NHSNumber": "contained[1].identifier[0].value", "BirthDate": "contained[1].birthDate", "Postcode": "contained[1].address[0].postalCode",
		"Ethnicity": "contained[1].extension[0].valueCodeableConcept.coding[0].code", "Practice": "contained[1].generalPractitioner[0]",
		"Provider": "performer[1].actor", "Procedures": "extension[0].valueCodeableConcept", "Products": "vaccineCode",
		"Diseases": "protocolApplied", "Dose": "protocolApplied[0].doseNumberPositiveInt", "OccurredAt": "occurrenceDateTime",
	}
	for part, want := range places {
		if got := sub.Where(part); got != want {
			t.Errorf("%s stands at %q, want %q", part, got, want)
		}
	}
	sub.Where = nil
	sct := func(code string) []admit.Code { return []admit.Code{{System: admit.SNOMED, Code: code}} }
	want := admit.Submission{
		Source: "https://pharmacy.example/vaccinations", Record: "vacc-000001", Time: time.Date(2026, 10, 3, 9, 12, 45, 123e6, time.UTC),
		Status: event.Completed, Type: event.TypeVaccination,
		NHSNumber: "9990000018", BirthDate: "1948-05-17", Postcode: "ZZ99 3VZ",
		Procedures: sct("822851000000102"), Products: sct("39566211000001103"), Diseases: [][]admit.Code{sct("6142004")},
		OccurredAt: "2026-10-03T10:05:00+01:00", Dose: 1, Ethnicity: "H", Practice: "SYN001", Provider: "FSY01",
	}
	if !reflect.DeepEqual(sub, want) {
		t.Errorf("got  %+v\nwant %+v", sub, want)
	}
}

// What an edited sample is refused for.
func TestImmunizationRefused(t *testing.T) {
	const status, patient = `"status": "completed"`, `"patient": {"reference": "#p2"}`
	for _, test := range []struct {
		name          string
		pairs         []string
		reason, field string
	}{
		{"no status", []string{status, `"lang": "x"`}, "missing field", "status"},
		{"status of another kind", []string{status, `"status": "final"`}, "unknown status", "status"},
		{"status null", []string{status, `"status": null`}, "missing field", "status"},
		{"DSTU2 wasNotGiven", []string{status, status + `, "wasNotGiven": true`}, "old FHIR", "wasNotGiven"},
		{"DSTU2 wasNotGiven false", []string{status, status + `, "wasNotGiven": false`}, "old FHIR", "wasNotGiven"},
		{"DSTU2 date", []string{"occurrenceDateTime", "date"}, "old FHIR", "date"},
		{"STU3 notGiven", []string{status, status + `, "notGiven": false`}, "old FHIR", "notGiven"},
		{"STU3 vaccinationProtocol", []string{"protocolApplied", "vaccinationProtocol"}, "old FHIR", "vaccinationProtocol"},
		{"R5 doseNumber", []string{`"doseNumberPositiveInt": 1`, `"doseNumber": "1"`}, "old FHIR", "protocolApplied[0].doseNumber"},
		{"DSTU2 performer", []string{`"performer": [{"actor": {"reference": "#p1"}},`, `"performer": {"reference": "#p1"}, "note": [`}, "bad value", "performer"},

		{"boolean as a string", []string{`"primarySource": true`, `"primarySource": "true"`}, "bad value", "primarySource"},
		{"isSubpotent as a string", []string{status, status + `, "isSubpotent": "false"`}, "bad value", "isSubpotent"},
		{"number as a string", []string{`"value": 0.5`, `"value": "0.5"`}, "bad value", "doseQuantity.value"},
		{"dose as a string", []string{`"doseNumberPositiveInt": 1`, `"doseNumberPositiveInt": "1"`}, "bad value", "protocolApplied[0].doseNumberPositiveInt"},
		{"dose with decimals", []string{`"doseNumberPositiveInt": 1`, `"doseNumberPositiveInt": 1.5`}, "bad value", "protocolApplied[0].doseNumberPositiveInt"},
		{"versionId as a number", []string{`"versionId": "1"`, `"versionId": 1`}, "bad value", "meta.versionId"},
		{"one identifier without an array", []string{`"identifier": [{"use": "official", "system": "https://pharmacy.example/vaccinations", "value": "vacc-000001"}]`,
			`"identifier": {"system": "https://pharmacy.example/vaccinations", "value": "vacc-000001"}`}, "bad value", "identifier"},
		{"birth date as a number", []string{`"1948-05-17"`, `19480517`}, "bad value", "contained[1].birthDate"},
		{"contained text", []string{`"contained": [`, `"contained": ["text", `}, "", ""},

		{"dose 0", []string{`"doseNumberPositiveInt": 1`, `"doseNumberPositiveInt": 0`}, "bad dose", "protocolApplied[0].doseNumberPositiveInt"},
		{"dose 10", []string{`"doseNumberPositiveInt": 1`, `"doseNumberPositiveInt": 10`}, "bad dose", "protocolApplied[0].doseNumberPositiveInt"},
		{"dose 257", []string{`"doseNumberPositiveInt": 1`, `"doseNumberPositiveInt": 257`}, "bad dose", "protocolApplied[0].doseNumberPositiveInt"},
		{"dose text 0", []string{`"doseNumberPositiveInt": 1`, `"doseNumberString": "0"`}, "bad dose", "protocolApplied[0].doseNumberString"},
		{"two doses", []string{`"doseNumberPositiveInt": 1`, `"doseNumberPositiveInt": 1, "doseNumberString": "1"`}, "not FHIR", "protocolApplied[0].doseNumberString"},

		{"no day", []string{`"occurrenceDateTime": "2026-10-03T10:05:00+01:00",`, ``}, "missing field", "occurrenceDateTime"},
		{"day as a text", []string{`"occurrenceDateTime": "2026-10-03T10:05:00+01:00"`, `"occurrenceString": "last autumn"`}, "not supported", "occurrenceString"},
		{"only a month", []string{"2026-10-03T10:05:00+01:00", "2026-10"}, "bad day", "occurrenceDateTime"},
		{"no offset", []string{"2026-10-03T10:05:00+01:00", "2026-10-03T10:05:00"}, "bad day", "occurrenceDateTime"},
		{"no seconds", []string{"2026-10-03T10:05:00+01:00", "2026-10-03T10:05+01:00"}, "bad day", "occurrenceDateTime"},
		{"a space for the T", []string{"2026-10-03T10:05:00+01:00", "2026-10-03 10:05:00+01:00"}, "bad day", "occurrenceDateTime"},
		{"a small T", []string{"2026-10-03T10:05:00+01:00", "2026-10-03t10:05:00+01:00"}, "bad day", "occurrenceDateTime"},
		{"a small Z", []string{"2026-10-03T10:05:00+01:00", "2026-10-03T10:05:00z"}, "bad day", "occurrenceDateTime"},
		{"born in the year nought", []string{"1948-05-17", "0000"}, "bad birth date", "contained[1].birthDate"},
		{"no such day", []string{"2026-10-03T10:05:00+01:00", "2026-02-30"}, "bad day", "occurrenceDateTime"},
		{"an English date", []string{"2026-10-03T10:05:00+01:00", "03/10/2026"}, "bad day", "occurrenceDateTime"},
		{"lastUpdated without a time", []string{"2026-10-03T10:12:45.123+01:00", "2026-10-03"}, "bad time", "meta.lastUpdated"},
		{"recorded without an offset", []string{`"recorded": "2026-10-03"`, `"recorded": "2026-10-03T00:00:00.000000"`}, "bad time", "recorded"},
		{"bad expiration date", []string{"2027-07-02", "07/2027"}, "bad value", "expirationDate"},
		{"bad birth date", []string{"1948-05-17", "1948-5-17"}, "bad birth date", "contained[1].birthDate"},

		{"no vaccine code", []string{"vaccineCode", "vaccine"}, "missing field", "vaccineCode"},
		{"procedure's check digit", []string{"822851000000102", "822851000000103"}, "bad code", "extension[0].valueCodeableConcept.coding[0].code"},
		{"product's check digit", []string{"39566211000001103", "39566211000001104"}, "bad code", "vaccineCode.coding[0].code"},
		{"disease's check digit", []string{`"6142004"`, `"6142005"`}, "bad code", "protocolApplied[0].targetDisease[0].coding[0].code"},
		{"code rounded by a spreadsheet", []string{"39566211000001103", "39566211000001100"}, "bad code", "vaccineCode.coding[0].code"},
		{"code with a space", []string{`"6142004"`, `"6142004 "`}, "bad code", "protocolApplied[0].targetDisease[0].coding[0].code"},

		{"no patient", []string{patient, `"lang": "x"`}, "missing field", "patient"},
		{"dangling", []string{patient, `"patient": {"reference": "#p3"}`}, "bad patient", "patient.reference"},
		{"a practitioner for a patient", []string{patient, `"patient": {"reference": "#p1"}`}, "bad patient", "patient.reference"},
		{"of another type", []string{patient, `"patient": {"reference": "#p2", "type": "Group"}`}, "bad patient", "patient.type"},
		{"not to the contained one", []string{patient, `"patient": {"reference": "Patient/p2"}`}, "bad patient", "patient.reference"},
		{"not to the contained one but with a number", []string{patient, `"patient": {"reference": "Patient/p2", "identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}}`},
			"bad patient", "patient.reference"},
		{"no reference", []string{patient, `"patient": {"display": "x"}`}, "missing field", "patient.reference"},
		{"another number in the reference", []string{patient, `"patient": {"reference": "#p2", "identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000026"}}`},
			"bad patient", "patient.identifier.value"},
		{"two patients", []string{`"contained": [`, `"contained": [{"resourceType": "Patient", "id": "p3"}, `}, "bad patient", "contained"},
		{"no NHS number", []string{`"value": "9990000018"`, `"assigner": {}`}, "missing field", "contained[1].identifier"},
		{"another system", []string{"https://fhir.nhs.uk/Id/nhs-number", "https://fhir.nhs.uk/Id/nhs-number-old"}, "missing field", "contained[1].identifier"},
		{"NHS numbers that differ", []string{`{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}`,
			`{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}, {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000026"}`},
			"bad patient", "contained[1].identifier"},
		{"replaced patient", []string{`"gender": "female"`, `"gender": "female", "link": [{"type": "seealso"}, {"type": "replaced-by"}]`}, "bad patient", "contained[1].link[1]"},
		{"address use in capitals", []string{`"use": "home"`, `"use": "Home"`}, "bad value", "contained[1].address[0].use"},
		{"address period", []string{`"use": "home"`, `"use": "home", "period": {"start": "01/02/2020"}`}, "bad value", "contained[1].address[0].period"},

		{"no identifier and no id", []string{`"identifier": [{"use": "official"`, `"other": [{"use": "official"`}, "missing field", "identifier"},
		{"identifier without a system", []string{`"system": "https://pharmacy.example/vaccinations", `, ``}, "bad identifier", "identifier"},
		{"temporary identifier", []string{`"use": "official", "system"`, `"use": "temp", "system"`}, "bad identifier", "identifier"},
		{"identifier of no use", []string{`"use": "official", "system"`, `"use": "main", "system"`}, "bad identifier", "identifier[0].use"},
		{"two identifiers of one use", []string{`"value": "vacc-000001"}`, `"value": "vacc-000001"}, {"use": "official", "system": "https://pharmacy.example/vaccinations", "value": "vacc-000002"}`},
			"bad identifier", "identifier"},
		{"id", []string{status, status + `, "id": "a/b"`}, "bad identifier", "id"},

		{"implicitRules", []string{status, status + `, "implicitRules": "https://rules.example"`}, "not supported", "implicitRules"},
		{"modifierExtension", []string{status, status + `, "modifierExtension": [{"url": "https://x.example", "valueBoolean": true}]`}, "not supported", "modifierExtension[0]"},
		{"the patient's", []string{`"gender": "female"`, `"gender": "female", "modifierExtension": [{"url": "https://x.example", "valueBoolean": true}]`}, "not supported", "contained[1].modifierExtension[0]"},
		{"the patient's rules", []string{`"gender": "female"`, `"gender": "female", "implicitRules": "https://rules.example"`}, "not supported", "contained[1].implicitRules"},
		{"the protocol's", []string{`"protocolApplied": [{`, `"protocolApplied": [{"modifierExtension": [{"url": "https://x.example"}], `}, "not supported", "protocolApplied[0].modifierExtension[0]"},
		{"the performer's", []string{`"performer": [{`, `"performer": [{"modifierExtension": [{"url": "https://x.example"}], `}, "not supported", "performer[0].modifierExtension[0]"},

		{"key twice", []string{status, status + `, "status": "entered-in-error"`}, "duplicate key", "status"},
		{"key twice within", []string{`"reference": "#p2"`, `"reference": "#p2", "reference": "#p1"`}, "duplicate key", "patient.reference"},
		{"unknown key twice", []string{status, status + `, "9990000018": 1, "9990000018": 2`}, "duplicate key", "resource"},
		{"unknown key twice within", []string{`"site": {`, `"site": {"a": 1, "a": 2, `}, "duplicate key", "resource"},
		{"unknown key twice in what is read", []string{`"reference": "#p2"`, `"reference": "#p2", "9990000018": 1, "9990000018": 2`}, "duplicate key", "patient"},
		{"key twice in the patient", []string{`"gender": "female"`, `"gender": "female", "birthDate": "1990-01-01"`}, "duplicate key", "contained[1]"},
		{"too deep", []string{status, status + `, "x": ` + strings.Repeat("[", 32) + strings.Repeat("]", 32)}, "nested too deep", "resource"},
		{"too deep behind a string that ends with a backslash", []string{status, status + `, "x": "\\\\", "y": ` + strings.Repeat("[", 32) + strings.Repeat("]", 32)}, "nested too deep", "resource"},
		{"too many values", []string{status, status + `, "x": [` + strings.Repeat("0,", MaxValues) + "0]"}, "too large", "resource"},
		{"too large", []string{status, status + `, "x": "` + strings.Repeat("x", MaxBytes) + `"`}, "too large", "resource"},
		{"not UTF-8", []string{`"city": "Northmoor"`, "\"city\": \"North\xffmoor\""}, "not UTF-8", "resource"},
		{"half a pair", []string{`"city": "Northmoor"`, `"city": "North\ud800moor"`}, "not JSON", "resource"},
		{"cut short", []string{`"doseNumberPositiveInt": 1}]`, ``}, "not JSON", "resource"},
		{"British spelling", []string{`"resourceType": "Immunization"`, `"resourceType": "Immunisation"`}, "not FHIR", "resourceType"},
		{"key in capitals", []string{`"resourceType": "Immunization"`, `"ResourceType": "Immunization"`}, "not FHIR", "resourceType"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sub, problem, skip := Decode(edit(t, sample, test.pairs...), options)
			if skip {
				t.Fatal("skipped")
			}
			if test.reason == "" {
				if problem != nil {
					t.Fatal(problem)
				}
				return
			}
			if problem == nil || problem.Reason != test.reason || problem.Field != test.field {
				t.Fatalf("got %v, want %s: %s", problem, test.reason, test.field)
			}
			if sub.NHSNumber != "" || sub.BirthDate != "" || sub.Where != nil {
				t.Errorf("more than source and record is given with a problem: %+v", sub)
			}
			for _, value := range []string{"9990000018", "9990000026", "1948", "ZZ99", "vacc-000001", "example"} {
				if strings.Contains(problem.Error(), value) {
					t.Errorf("%q repeats a value", problem.Error())
				}
			}
		})
	}
}

// What an edited sample says differently. The check gets what is said.
func TestImmunizationSays(t *testing.T) {
	const status, occurred = `"status": "completed"`, "2026-10-03T10:05:00+01:00"
	const home = `{"use": "home", "line": ["1 Nowhere Street"], "city": "Northmoor", "postalCode": "ZZ99 3VZ"}`
	const official = `{"use": "official", "system": "https://pharmacy.example/vaccinations", "value": "vacc-000001"}`
	const updated = `, "lastUpdated": "2026-10-03T10:12:45.123+01:00"`
	postcode := func(want string) func(admit.Submission) string {
		return func(s admit.Submission) string { return differ(s.Postcode, want) }
	}
	record := func(source, name string) func(admit.Submission) string {
		return func(s admit.Submission) string { return differ(s.Source+" "+s.Record, source+" "+name) }
	}
	at := func(want string) func(admit.Submission) string {
		return func(s admit.Submission) string {
			return differ(s.Time.Format(time.RFC3339Nano)+" "+s.Where("Time"), want)
		}
	}
	for _, test := range []struct {
		name  string
		pairs []string
		check func(admit.Submission) string
	}{
		{"not done", []string{status, `"status": "not-done"`}, func(s admit.Submission) string {
			return differ(say(s.Status, s.Why), "not-done its status is not-done")
		}},
		{"retraction", []string{status, `"status": "entered-in-error"`}, func(s admit.Submission) string { return differ(s.Status.String(), "entered-in-error") }},
		{"retraction with all else wrong", []string{status, `"status": "entered-in-error"`, "822851000000102", "822851000000103", occurred, "2026", `"doseNumberPositiveInt": 1`, `"doseNumberPositiveInt": 0`, "1948-05-17", "1948-5-17"},
			func(s admit.Submission) string {
				return differ(say(s.Status, s.Procedures, s.Dose, s.OccurredAt, s.BirthDate, s.NHSNumber), "entered-in-error [] 0   9990000018")
			}},
		{"retraction says where things stand", []string{status, `"status": "entered-in-error"`, occurred, "2026"}, func(s admit.Submission) string {
			return differ(say(s.Where("OccurredAt"), s.Where("Programme"), s.Where("Dose"), s.Where("Procedures"), s.Where("nothing")), "occurrenceDateTime vaccineCode protocolApplied extension resource")
		}},
		{"subpotent", []string{status, status + `, "isSubpotent": true`}, func(s admit.Submission) string {
			return differ(say(s.Subpotent, s.Why), "true isSubpotent is true")
		}},
		{"not subpotent", []string{status, status + `, "isSubpotent": false, "subpotentReason": [{"text": "partial"}]`}, func(s admit.Submission) string { return differ(say(s.Subpotent), "false") }},

		{"version 1 by its business identifier: perhaps another server's copy", []string{}, revisionIs(admit.UnknownRevision)},
		{"version 1 by its id", []string{`"identifier": [` + official + `],`, `"id": "abc-1",`}, revisionIs(admit.First)},
		{"version 2", []string{`"versionId": "1"`, `"versionId": "2"`}, revisionIs(admit.Correction)},
		{"version 10", []string{`"versionId": "1"`, `"versionId": "10"`}, revisionIs(admit.Correction)},
		{"version of letters", []string{`"versionId": "1"`, `"versionId": "1a"`}, revisionIs(admit.UnknownRevision)},
		{"no version", []string{`"versionId": "1", `, ``}, revisionIs(admit.UnknownRevision)},

		{"date recorded in summer time", []string{updated, ""}, at("2026-10-02T23:00:00Z recorded")},
		{"date recorded in winter time", []string{updated, "", `"recorded": "2026-10-03"`, `"recorded": "2026-12-03"`}, at("2026-12-03T00:00:00Z recorded")},
		{"time recorded", []string{updated, "", `"recorded": "2026-10-03"`, `"recorded": "2026-10-03T09:00:00.25Z"`}, at("2026-10-03T09:00:00.25Z recorded")},

		{"resource id", []string{`"identifier": [` + official + `],`, `"id": "abc-1",`}, record("https://sender.example/fhir", "Immunization/abc-1")},
		{"identifier before id", []string{status, status + `, "id": "abc-1"`}, record("https://pharmacy.example/vaccinations", "vacc-000001")},
		{"URI of nobody's", []string{"https://pharmacy.example/vaccinations", "urn:ietf:rfc:3986", "vacc-000001", "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"},
			record("https://sender.example/fhir", "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0")},
		{"official of several", []string{official, `{"system": "https://b.example", "value": "2"}, ` + official + `, {"use": "secondary", "system": "https://a.example", "value": "1"}`},
			record("https://pharmacy.example/vaccinations", "vacc-000001")},
		{"usual before secondary", []string{official, `{"use": "secondary", "system": "https://a.example", "value": "1"}, {"system": "https://b.example", "value": "2"}, {"use": "old", "system": "https://c.example", "value": "3"}`},
			record("https://b.example", "2")},
		{"the same twice", []string{official, official + ", " + official}, record("https://pharmacy.example/vaccinations", "vacc-000001")},

		{"dose as a plain number", []string{`"doseNumberPositiveInt": 1`, `"doseNumberString": "2"`}, doseIs("2 [] protocolApplied[0].doseNumberString")},
		{"dose in words", []string{`"doseNumberPositiveInt": 1`, `"doseNumberString": "dose number unknown"`}, doseIs("0 [] protocolApplied[0].doseNumberString")},
		{"no dose", []string{`"doseNumberPositiveInt": 1`, `"series": "x"`}, doseIs("0 [] protocolApplied[0].doseNumberString")},
		{"no protocol", []string{"protocolApplied", "x"}, doseIs("0 [] protocolApplied")},
		{"two protocols", []string{`"doseNumberPositiveInt": 1}]`, `"doseNumberPositiveInt": 1}, {"doseNumberPositiveInt": 3}, {"targetDisease": [{"coding": [{"system": "http://snomed.info/sct", "code": "66071002"}, {"system": "http://hl7.org/fhir/sid/icd-10", "code": "B16"}]}], "doseNumberPositiveInt": 2}]`},
			func(s admit.Submission) string {
				return differ(say(s.Dose, s.Doses, s.Diseases), "0 [1 3 2] [[{http://snomed.info/sct 6142004}] [] [{http://snomed.info/sct 66071002} {http://hl7.org/fhir/sid/icd-10 B16}]]")
			}},
		{"codes of no system", []string{`{"coding": [{"system": "http://snomed.info/sct", "code": "39566211000001103"`, `{"coding": [{"code": "1"}, {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"`},
			func(s admit.Submission) string {
				return differ(say(s.Products), "[{http://terminology.hl7.org/CodeSystem/v3-NullFlavor UNK}]")
			}},

		{"local identifier beside the NHS number", []string{`"identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number"`, `"identifier": [{"system": "https://local.example", "value": "L1"}, {"system": "https://fhir.nhs.uk/Id/nhs-number"`},
			func(s admit.Submission) string {
				return differ(s.NHSNumber+" "+s.Where("NHSNumber"), "9990000018 contained[1].identifier[1].value")
			}},
		{"NHS number twice", []string{`"value": "9990000018"}`, `"value": "9990000018"}, {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "999 000 0018"}`},
			func(s admit.Submission) string { return differ(s.NHSNumber, "9990000018") }},
		{"old NHS number", []string{`"identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number"`, `"identifier": [{"use": "old", "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000026"}, {"system": "https://fhir.nhs.uk/Id/nhs-number"`},
			func(s admit.Submission) string { return differ(s.NHSNumber, "9990000018") }},
		{"birth month", []string{"1948-05-17", "1948-05"}, func(s admit.Submission) string { return differ(s.BirthDate, "1948-05") }},
		{"birth year", []string{"1948-05-17", "1948"}, func(s admit.Submission) string { return differ(s.BirthDate, "1948") }},

		{"home before the rest", []string{home, `{"use": "temp", "postalCode": "AA1 1AA"}, {"postalCode": "BB1 1BB"}, ` + home + `, {"use": "work", "postalCode": "CC1 1CC"}`}, postcode("ZZ99 3VZ")},
		{"no use before temporary", []string{home, `{"use": "temp", "postalCode": "AA1 1AA"}, {"postalCode": "BB1 1BB"}`}, postcode("BB1 1BB")},
		{"never work, billing, old or post", []string{home, `{"use": "work", "postalCode": "AA1 1AA"}, {"use": "billing", "postalCode": "BB1 1BB"}, {"use": "old", "postalCode": "CC1 1CC"}, {"use": "home", "type": "postal", "postalCode": "DD1 1DD"}`}, postcode("")},
		{"where they lived then", []string{home, `{"use": "home", "postalCode": "AA1 1AA", "period": {"start": "2026-10-04"}}, {"use": "home", "postalCode": "BB1 1BB", "period": {"start": "2020", "end": "2026-10-03"}}, {"use": "home", "postalCode": "CC1 1CC", "period": {"end": "2026-10-02T23:00:00Z"}}`}, postcode("BB1 1BB")},
		{"whole months and years", []string{home, `{"use": "home", "postalCode": "AA1 1AA", "period": {"start": "2026-10", "end": "2026"}}`}, postcode("AA1 1AA")},
		{"two homes", []string{home, home + `, {"use": "home", "postalCode": "AA1 1AA"}`}, postcode("")},
		{"one home twice", []string{home, home + `, {"use": "home", "postalCode": "zz993vz"}`}, postcode("ZZ99 3VZ")},

		{"local part of the ethnic category", []string{`"code": "H"`, `"code": "HA"`}, func(s admit.Submission) string { return differ(s.Ethnicity, "H") }},
		{"ethnic category not known", []string{`"code": "H"`, `"code": "99"`}, func(s admit.Submission) string { return differ(s.Ethnicity, "") }},
		{"ethnic category of Wales", []string{"UKCore-EthnicCategoryEngland", "UKCore-EthnicCategoryWales"}, func(s admit.Submission) string { return differ(s.Ethnicity, "") }},

		{"managing organisation", []string{`"generalPractitioner": [{"type": "Organization", "identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "SYN001"}}]`,
			`"generalPractitioner": [{"reference": "Practitioner/1"}], "managingOrganization": {"identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "syn002"}}`},
			func(s admit.Submission) string {
				return differ(s.Practice+" "+s.Where("Practice"), "SYN002 contained[1].managingOrganization")
			}},
		{"provider not of ODS", []string{`"value": "FSY01"`, `"value": "1", "use": "old"`}, func(s admit.Submission) string { return differ(s.Provider, "") }},
		{"place for the provider", []string{`"value": "FSY01"`, `"use": "old"`, `"value": "X99999"`, `"value": "SYN009"`}, func(s admit.Submission) string { return differ(s.Provider+" "+s.Where("Provider"), "SYN009 location") }},
		{"who ordered it", []string{`{"actor": {"type": "Organization"`, `{"function": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0443", "code": "OP"}]}, "actor": {"type": "Organization"`}, func(s admit.Submission) string { return differ(s.Provider, "") }},
		{"role and organisation", []string{`{"resourceType": "Practitioner", "id": "p1", "name": [{"family": "Sample", "given": ["Pat"]}]}`,
			`{"resourceType": "PractitionerRole", "id": "p1", "organization": {"reference": "#o1"}}, {"resourceType": "Organization", "id": "o1", "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-site-code", "value": "RSY01"}]}`},
			func(s admit.Submission) string {
				return differ(s.Provider+" "+s.Where("Provider"), "RSY01 performer[0].actor")
			}},
		{"too far away", []string{`{"resourceType": "Practitioner", "id": "p1", "name": [{"family": "Sample", "given": ["Pat"]}]}`,
			`{"resourceType": "PractitionerRole", "id": "p1", "organization": {"reference": "#o1"}}, {"resourceType": "Location", "id": "o1", "managingOrganization": {"reference": "#o2"}},
			{"resourceType": "HealthcareService", "id": "o2", "providedBy": {"reference": "#o3"}}, {"resourceType": "Organization", "id": "o3", "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-site-code", "value": "RSY01"}]}`},
			func(s admit.Submission) string { return differ(s.Provider, "FSY01") }},
		{"near enough", []string{`{"resourceType": "Practitioner", "id": "p1", "name": [{"family": "Sample", "given": ["Pat"]}]}`,
			`{"resourceType": "PractitionerRole", "id": "p1", "organization": {"reference": "#o2"}},
			{"resourceType": "HealthcareService", "id": "o2", "providedBy": {"reference": "#o3"}}, {"resourceType": "Organization", "id": "o3", "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-site-code", "value": "RSY01"}]}`},
			func(s admit.Submission) string { return differ(s.Provider, "RSY01") }},
		{"brackets in a text", []string{`"1 Nowhere`, `"\"` + strings.Repeat("[", 40) + `Nowhere`}, postcode("ZZ99 3VZ")},
		{"another extension", []string{`"extension": [{"url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure"`,
			`"extension": [{"url": "https://x.example", "valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "1"}]}}, {"url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure"`},
			func(s admit.Submission) string {
				return differ(say(s.Procedures, s.Where("Procedures")), "[{http://snomed.info/sct 822851000000102}] extension[1].valueCodeableConcept")
			}},
		{"round in a circle", []string{`{"resourceType": "Practitioner", "id": "p1", "name": [{"family": "Sample", "given": ["Pat"]}]}`,
			`{"resourceType": "PractitionerRole", "id": "p1", "organization": {"reference": "#p1"}}`}, func(s admit.Submission) string { return differ(s.Provider, "FSY01") }},

		{"number beside a reference elsewhere", []string{`"contained": [`, `"other": [`, `"patient": {"reference": "#p2"}`,
			`"patient": {"reference": "https://elsewhere.example/Patient/1", "identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000026"}}`},
			func(s admit.Submission) string {
				return differ(s.NHSNumber+s.BirthDate+s.Postcode+" "+s.Where("NHSNumber"), "9990000026 patient.identifier.value")
			}},
		{"number alone", []string{`"contained": [`, `"other": [`, `{"reference": "#p2"}`, `{"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000026"}}`},
			func(s admit.Submission) string { return differ(s.NHSNumber, "9990000026") }},
		{"byte order mark", []string{"{\n  \"resourceType\"", "\uFEFF{\n  \"resourceType\""}, record("https://pharmacy.example/vaccinations", "vacc-000001")},
		{"no modifiers", []string{status, status + `, "modifierExtension": []`}, record("https://pharmacy.example/vaccinations", "vacc-000001")},
		{"userSelected as a string, which is not read", []string{`"display": "Influenza"`, `"userSelected": "true"`}, record("https://pharmacy.example/vaccinations", "vacc-000001")},
	} {
		t.Run(test.name, func(t *testing.T) {
			sub, problem, skip := Decode(edit(t, sample, test.pairs...), options)
			if problem != nil || skip {
				t.Fatal(problem, skip)
			}
			if wrong := test.check(sub); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}

// say writes values with a space between.
func say(values ...any) string { return strings.TrimSuffix(fmt.Sprintln(values...), "\n") }

func differ(got, want string) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("got %q, want %q", got, want)
}

func revisionIs(want admit.Revision) func(admit.Submission) string {
	return func(s admit.Submission) string { return differ(say(s.Revision), say(want)) }
}

func doseIs(want string) func(admit.Submission) string {
	return func(s admit.Submission) string { return differ(say(s.Dose, s.Doses)+" "+s.Where("Dose"), want) }
}

// A transfer's own time goes before recorded and after meta.lastUpdated; and without any of them there is no version.
func TestVersionTime(t *testing.T) {
	const updated = `, "lastUpdated": "2026-10-03T10:12:45.123+01:00"`
	made := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	with := Options{Source: options.Source, Time: made}
	for _, test := range []struct {
		name  string
		text  []byte
		o     Options
		want  string
		field string
	}{
		{"meta.lastUpdated first", []byte(sample), with, "2026-10-03T09:12:45.123Z", ""},
		{"then the transfer", edit(t, sample, updated, ""), with, "2026-11-01T08:00:00Z", ""},
		{"then recorded", edit(t, sample, updated, ""), options, "2026-10-02T23:00:00Z", ""},
		{"recorded only as a month is none", edit(t, sample, updated, "", `"recorded": "2026-10-03"`, `"recorded": "2026-10"`), options, "", "meta.lastUpdated"},
		{"nothing", edit(t, sample, updated, "", `"recorded": "2026-10-03",`, ""), options, "", "meta.lastUpdated"},
	} {
		sub, problem, _ := Decode(test.text, test.o)
		if test.field != "" {
			if problem == nil || problem.Field != test.field {
				t.Errorf("%s: %v", test.name, problem)
			}
			continue
		}
		if problem != nil || sub.Time.Format(time.RFC3339Nano) != test.want {
			t.Errorf("%s: %v %v, want %s", test.name, sub.Time, problem, test.want)
		}
	}
}

// A type error further on does not hide which record it is.
func TestNamedAllTheSame(t *testing.T) {
	sub, problem, _ := Decode(edit(t, sample, `"primarySource": true`, `"primarySource": "true"`), options)
	if problem == nil || sub.Source != "https://pharmacy.example/vaccinations" || sub.Record != "vacc-000001" {
		t.Errorf("%v %+v", problem, sub)
	}
}

func TestOtherResources(t *testing.T) {
	for text, want := range map[string]string{
		`{"resourceType":"Patient","id":"1","birthDate":"x"}`: "skip",
		`{"id":"1","resourceType":"OperationOutcome"}`:        "skip",
		`{"resourceType":"Patient","id":"1"`:                  "not JSON: resource must be one JSON value",
		`{"resourceType":"Patient","id":"1"} {}`:              "not JSON: resource must be one JSON value",
		`{"resourceType":"Patient","id":1,"id":2}`:            "duplicate key: resource must not have a key twice in one object",
		`{"resourceType":"Bundle","type":"collection"}`:       "not supported: resourceType must not be Bundle where one resource is expected",
		`[]`:                           "bad value: resource must be an object",
		`null`:                         "not FHIR: resourceType must be Immunization or Observation, or the type of a resource that goes with them",
		``:                             "not JSON: resource must be one JSON value",
		`{}`:                           "not FHIR: resourceType must be Immunization or Observation, or the type of a resource that goes with them",
		`{"resourceType":"Condition"}`: "not FHIR: resourceType must be Immunization or Observation, or the type of a resource that goes with them",
	} {
		_, problem, skip := Decode([]byte(text), options)
		got := "taken"
		if skip {
			got = "skip"
		}
		if problem != nil {
			got = problem.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
