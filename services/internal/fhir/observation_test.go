package fhir

import (
	"testing"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/mapping"
)

// pressure is a blood pressure as a GP system sends it.
const pressure = `{
  "resourceType": "Observation", "id": "bp-1",
  "meta": {"lastUpdated": "2026-10-03T10:12:45Z"},
  "contained": [{"resourceType": "Patient", "id": "p1", "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}], "birthDate": "1948-05-17"}],
  "status": "final",
  "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}, {"system": "http://snomed.info/sct", "code": "75367002"}]},
  "subject": {"reference": "#p1"},
  "effectiveDateTime": "2026-10-02",
  "issued": "2026-10-02T15:00:00Z",
  "performer": [{"reference": "Practitioner/1"}, {"identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "SYN001"}}],
  "component": [
    {"code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}, "valueQuantity": {"value": 127, "unit": "mmHg"}},
    {"code": {"coding": [{"system": "http://snomed.info/sct", "code": "1091811000000102"}]}, "valueQuantity": {"value": 81, "unit": "mmHg"}}
  ]
}`

func TestObservation(t *testing.T) {
	const final, up, down = `"status": "final"`, `"valueQuantity": {"value": 127, "unit": "mmHg"}`, `"valueQuantity": {"value": 81, "unit": "mmHg"}`
	const absent = `"dataAbsentReason": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "not-performed"}]}`
	const code = `{"coding": [{"system": "http://loinc.org", "code": "85354-9"}, {"system": "http://snomed.info/sct", "code": "75367002"}]}`
	const check = `{"coding": [{"system": "http://snomed.info/sct", "code": "523221000000100"}]}`
	counts := func(s admit.Submission) string {
		return say(s.Status, s.Incomplete, s.Why)
	}
	for _, test := range []struct {
		name  string
		pairs []string
		say   func(admit.Submission) string
		want  string
	}{
		{"whole", nil, func(s admit.Submission) string {
			return say(s.Type, s.Source, s.Record, s.NHSNumber, s.OccurredAt, s.Provider, s.Checks, s.Where("Checks"), s.Where("Provider"), s.Incomplete)
		}, "uk.nhs.prevention.health-check.v1 https://sender.example/fhir Observation/bp-1 9990000018 2026-10-02 SYN001 [{http://loinc.org 85354-9} {http://snomed.info/sct 75367002}] code performer[1] false"},
		{"amended", []string{final, `"status": "amended"`}, func(s admit.Submission) string { return say(s.Status, s.Revision) }, say(event.Completed, admit.Correction)},
		{"corrected", []string{final, `"status": "corrected"`, `"lastUpdated"`, `"versionId": "1", "lastUpdated"`}, func(s admit.Submission) string { return say(s.Status, s.Revision) }, say(event.Completed, admit.Correction)},
		{"cancelled", []string{final, `"status": "cancelled"`, up, absent, down, absent}, counts, "not-done false its status is cancelled"},
		{"preliminary", []string{final, `"status": "preliminary"`}, counts, "not-done false its status says that it is not final: send it again when it is"},
		{"registered", []string{final, `"status": "registered"`}, counts, "not-done false its status says that it is not final: send it again when it is"},
		{"unknown", []string{final, `"status": "unknown"`}, counts, "not-done false its status says that it is not final: send it again when it is"},
		{"registered without a day", []string{final, `"status": "registered"`, `"effectiveDateTime": "2026-10-02",`, ""}, func(s admit.Submission) string { return say(s.Status, s.OccurredAt) }, "not-done "},
		{"retracted", []string{final, `"status": "entered-in-error"`, up, absent}, counts, "entered-in-error false "},
		{"retracted without a day", []string{final, `"status": "entered-in-error"`, `"effectiveDateTime": "2026-10-02",`, ""}, func(s admit.Submission) string { return say(s.Status, s.OccurredAt) }, "entered-in-error "},

		{"no diastolic value", []string{down, absent}, counts, "completed true the blood pressure has no diastolic value"},
		{"no systolic value", []string{up, absent}, counts, "completed true the blood pressure has no systolic value"},
		{"no values", []string{up, absent, down, `"valueQuantity": {"unit": "mmHg"}`}, counts, "completed true the blood pressure has neither a systolic nor a diastolic value"},
		{"value and why there is none", []string{up, up + ", " + absent}, counts, "completed true the blood pressure has no systolic value"},
		{"whole numbers", []string{up, `"valueInteger": 127`}, counts, "completed false "},
		{"systolic alone", []string{code, `{"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}`, `"component"`, `"valueQuantity": {"value": 127}, "other"`}, counts, "completed true the blood pressure has no diastolic value"},
		{"part by another code", []string{`"8480-6"`, `"8867-4"`}, counts, "completed true the blood pressure has no systolic value"},
		{"another check", []string{code, check, `"component"`, `"other"`}, counts, "completed false "},
		{"another check without a result", []string{code, check, `"component"`, absent + `, "other"`}, counts, "completed true it has no result but a dataAbsentReason"},

		{"instant", []string{`"effectiveDateTime": "2026-10-02"`, `"effectiveInstant": "2026-10-02T08:00:00Z"`}, occurred, "2026-10-02T08:00:00Z effectiveInstant"},
		{"over a day", []string{`"effectiveDateTime": "2026-10-02"`, `"effectivePeriod": {"start": "2026-10-01T09:00:00Z", "end": "2026-10-02T09:00:00Z"}`}, occurred, "2026-10-02T09:00:00Z effectivePeriod.end"},
		{"from a day on", []string{`"effectiveDateTime": "2026-10-02"`, `"effectivePeriod": {"start": "2026-10-01"}`}, occurred, "2026-10-01 effectivePeriod.start"},
		{"when it was issued", []string{`"meta": {"lastUpdated": "2026-10-03T10:12:45Z"},`, ""}, func(s admit.Submission) string { return say(s.Time, s.Where("Time")) }, "2026-10-02 15:00:00 +0000 UTC issued"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sub, problem, skip := Decode(edit(t, pressure, test.pairs...), options)
			if problem != nil || skip {
				t.Fatal(problem, skip)
			}
			if got := test.say(sub); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func occurred(s admit.Submission) string { return say(s.OccurredAt, s.Where("OccurredAt")) }

func TestObservationRefused(t *testing.T) {
	const final, day = `"status": "final"`, `"effectiveDateTime": "2026-10-02"`
	for _, test := range []struct {
		name          string
		pairs         []string
		reason, field string
	}{
		{"no status", []string{final, `"x": 1`}, "missing field", "status"},
		{"status of another kind", []string{final, `"status": "completed"`}, "unknown status", "status"},
		{"no code", []string{`"code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}`, `"x": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}`}, "missing field", "code"},
		{"check digit", []string{"75367002", "75367003"}, "bad code", "code.coding[1].code"},
		{"part's check digit", []string{"1091811000000102", "1091811000000103"}, "bad code", "component[1].code.coding[0].code"},
		{"no subject", []string{`"subject": {"reference": "#p1"},`, ""}, "missing field", "subject"},
		{"a group", []string{`"subject": {"reference": "#p1"}`, `"subject": {"reference": "#p1", "type": "Group"}`}, "bad patient", "subject.type"},
		{"no day", []string{day, `"x": 1`}, "missing field", "effectiveDateTime"},
		{"a month", []string{day, `"effectiveDateTime": "2026-10"`}, "bad day", "effectiveDateTime"},
		{"a timing", []string{day, `"effectiveTiming": {"event": ["2026-10-02"]}`}, "not supported", "effectiveTiming"},
		{"two days", []string{day, day + `, "effectivePeriod": {"end": "2026-10-02"}`}, "not FHIR", "effectivePeriod.end"},
		{"an empty period", []string{day, `"effectivePeriod": {}`}, "missing field", "effectivePeriod.start"},
		{"issued as a date", []string{`"2026-10-02T15:00:00Z"`, `"2026-10-02"`}, "bad time", "issued"},
		{"value as a string", []string{`"value": 127`, `"value": "127"`}, "bad value", "component[0].valueQuantity.value"},
		{"component's modifier", []string{`"component": [
    {`, `"component": [{"modifierExtension": [{"url": "https://x.example"}], `}, "not supported", "component[0].modifierExtension[0]"},
		{"modifier", []string{final, final + `, "modifierExtension": [{"url": "https://x.example"}]`}, "not supported", "modifierExtension[0]"},
		{"STU3 context", []string{final, final + `, "context": {}`}, "old FHIR", "context"},
		{"STU3 related", []string{final, final + `, "related": []`}, "old FHIR", "related"},
		{"no id", []string{`"id": "bp-1"`, `"x": 1`}, "missing field", "identifier"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problem, _ := Decode(edit(t, pressure, test.pairs...), options)
			if problem == nil || problem.Reason != test.reason || problem.Field != test.field {
				t.Errorf("got %v, want %s: %s", problem, test.reason, test.field)
			}
		})
	}
}

// A mistyped code would be one that never counts, without a word.
func TestPressureCodes(t *testing.T) {
	for name, set := range map[string]codeSet{"panel": pressures, "systolic": systolic, "diastolic": diastolic} {
		for code := range set {
			if code.System == admit.SNOMED && !mapping.IsSNOMED(code.Code) {
				t.Errorf("%s: %s fails its check digit", name, code.Code)
			}
			if code.System == admit.LOINC && !mapping.IsLOINC(code.Code) {
				t.Errorf("%s: %s fails its check digit", name, code.Code)
			}
		}
	}
}
