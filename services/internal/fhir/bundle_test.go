package fhir

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gapwatch/services/internal/event"
)

const (
	somebody = `{"resourceType":"Patient","id":"pat","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000018"}],"birthDate":"1948-05-17",
		"generalPractitioner":[{"reference":"Organization/gp"}]}`
	anybody = `{"resourceType":"Patient","id":"other","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000026"}]}`
	surgery = `{"resourceType":"Organization","id":"gp","identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"SYN001"}]}`
)

// vaccination is a record in a Bundle; more is put into it.
func vaccination(id, patient, more string) string {
	return fmt.Sprintf(`{"resourceType":"Immunization","id":%q,"status":"completed","vaccineCode":{"text":"flu"},"patient":%s,"occurrenceDateTime":"2026-10-03"%s}`,
		id, patient, more)
}

func refer(to string) string { return fmt.Sprintf(`{"reference":%q}`, to) }

// collect reads a Bundle of a type and some entries, and writes what became of each.
func collect(t *testing.T, kind, more string, entries ...string) []string {
	t.Helper()
	body := fmt.Sprintf(`{"resourceType":"Bundle","type":%q%s,"entry":[%s]}`, kind, more, strings.Join(entries, ","))
	if !json.Valid([]byte(body)) {
		t.Fatal("no JSON: " + body)
	}
	got, items, problem := Bundle([]byte(body), options)
	if problem != nil {
		return []string{problem.Error()}
	}
	if got != kind {
		t.Errorf("kind %q", got)
	}
	var all []string
	for item := range items {
		if item.Index != len(all) {
			t.Errorf("index %d, want %d", item.Index, len(all))
		}
		s := item.Submission
		switch {
		case item.Problem != nil:
			all = append(all, item.Problem.Reason+": "+item.Problem.Field)
		case item.Skip:
			all = append(all, "skip "+item.Type)
		case s.Status == event.EnteredInError:
			all = append(all, fmt.Sprintf("retract %s of %s at %s", s.Record, s.NHSNumber, s.Time.Format("2006-01-02")))
		default:
			all = append(all, fmt.Sprintf("%s of %s %s%s at %s", s.Record, s.NHSNumber, s.BirthDate, s.Practice, s.Time.Format("2006-01-02")))
		}
	}
	return all
}

const stamp = `,"timestamp":"2026-11-01T08:00:00Z"`

func TestBundle(t *testing.T) {
	const uuid = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
	entry := func(url, resource string) string { return fmt.Sprintf(`{"fullUrl":%q,"resource":%s}`, url, resource) }
	bare := func(resource string) string { return `{"resource":` + resource + `}` }
	request := func(method, url, resource string) string {
		if resource != "" {
			resource = `,"resource":` + resource
		}
		return fmt.Sprintf(`{"request":{"method":%q,"url":%q}%s}`, method, url, resource)
	}
	version := func(method, url, modified, resource string) string {
		return strings.TrimSuffix(request(method, url, resource), "}") + fmt.Sprintf(`,"response":{"status":"200","lastModified":%q}}`, modified)
	}
	for _, test := range []struct {
		name       string
		kind, more string
		entries    []string
		want       []string
	}{
		{"urn:uuid, the patient after the record", "collection", stamp, []string{bare(vaccination("1", refer(uuid), "")), entry(uuid, somebody), bare(surgery)},
			[]string{"Immunization/1 of 9990000018 1948-05-17SYN001 at 2026-11-01", "skip Patient", "skip Organization"}},
		{"absolute reference", "searchset", stamp, []string{bare(vaccination("1", refer("https://gp.example/fhir/Patient/pat"), "")), entry("https://gp.example/fhir/Patient/pat", somebody)},
			[]string{"Immunization/1 of 9990000018 1948-05-17 at 2026-11-01", "skip Patient"}},
		{"relative to the entry's own server", "collection", stamp, []string{
			entry("https://a.example/fhir/Immunization/1", vaccination("1", refer("Patient/pat"), "")),
			entry("https://b.example/fhir/Patient/pat", strings.Replace(anybody, `"other"`, `"pat"`, 1)), entry("https://a.example/fhir/Patient/pat", somebody)},
			[]string{"Immunization/1 of 9990000018 1948-05-17 at 2026-11-01", "skip Patient", "skip Patient"}},
		{"the same id on another server", "collection", stamp, []string{
			entry("https://a.example/fhir/Immunization/1", vaccination("1", refer("Patient/pat"), "")), entry("https://b.example/fhir/Patient/pat", somebody)},
			[]string{"bad patient: patient.reference", "skip Patient"}},
		{"relative to a server, and a patient of none", "collection", stamp, []string{
			entry("https://a.example/fhir/Immunization/1", vaccination("1", refer("Patient/pat"), "")), entry(uuid, somebody)},
			[]string{"Immunization/1 of 9990000018 1948-05-17 at 2026-11-01", "skip Patient"}},
		{"relative without full URLs", "batch", stamp, []string{bare(vaccination("1", refer("Patient/pat"), "")), bare(anybody), bare(somebody)},
			[]string{"Immunization/1 of 9990000018 1948-05-17 at 2026-11-01", "skip Patient", "skip Patient"}},
		{"a version of the patient", "batch", stamp, []string{bare(vaccination("1", refer("Patient/pat/_history/3"), "")), bare(somebody)},
			[]string{"Immunization/1 of 9990000018 1948-05-17 at 2026-11-01", "skip Patient"}},
		{"two of one name", "batch", stamp, []string{bare(vaccination("1", refer("Patient/pat"), "")), bare(somebody), bare(somebody)},
			[]string{"bad patient: patient.reference", "skip Patient", "skip Patient"}},
		{"two of one URL", "batch", stamp, []string{bare(vaccination("1", refer(uuid), "")), entry(uuid, somebody), entry(uuid, anybody)},
			[]string{"bad patient: patient.reference", "skip Patient", "skip Patient"}},
		{"not here", "batch", stamp, []string{bare(vaccination("1", refer("Patient/nobody"), "")), bare(somebody)},
			[]string{"bad patient: patient.reference", "skip Patient"}},
		{"an organisation for a patient", "batch", stamp, []string{bare(vaccination("1", refer("Organization/gp"), "")), bare(surgery)},
			[]string{"bad patient: patient.reference", "skip Organization"}},
		{"contained in another entry", "batch", stamp, []string{bare(vaccination("1", refer("#pat"), "")), bare(somebody)},
			[]string{"bad patient: patient.reference", "skip Patient"}},
		{"the patient is wrong", "batch", stamp, []string{bare(vaccination("1", refer("Patient/pat"), "")), bare(strings.Replace(somebody, "1948-05-17", "1948-5-17", 1))},
			[]string{"bad birth date: Bundle.entry[1].resource.birthDate", "skip Patient"}},
		{"the patient has no number", "batch", stamp, []string{bare(vaccination("1", refer("Patient/pat"), "")), bare(`{"resourceType":"Patient","id":"pat"}`)},
			[]string{"missing field: Bundle.entry[1].resource.identifier", "skip Patient"}},
		{"provider", "batch", stamp, []string{bare(vaccination("1", refer("Patient/other"), `,"performer":[{"actor":{"reference":"Organization/gp"}}]`)), bare(anybody), bare(surgery)},
			[]string{"Immunization/1 of 9990000026  at 2026-11-01", "skip Patient", "skip Organization"}},

		{"the Bundle's meta", "searchset", `,"meta":{"lastUpdated":"2026-11-02T08:00:00Z"}`, []string{bare(vaccination("1", refer("Patient/other"), `,"recorded":"2026-10-04"`)), bare(anybody)},
			[]string{"Immunization/1 of 9990000026  at 2026-11-02", "skip Patient"}},
		{"timestamp before the Bundle's meta", "searchset", `,"meta":{"lastUpdated":"2026-11-02T08:00:00Z"}` + stamp, []string{bare(vaccination("1", refer("Patient/other"), "")), bare(anybody)},
			[]string{"Immunization/1 of 9990000026  at 2026-11-01", "skip Patient"}},
		{"the resource's own time first", "searchset", stamp, []string{bare(vaccination("1", refer("Patient/other"), `,"meta":{"lastUpdated":"2026-10-05T08:00:00Z"}`)), bare(anybody)},
			[]string{"Immunization/1 of 9990000026  at 2026-10-05", "skip Patient"}},
		{"no time at all", "searchset", "", []string{bare(vaccination("1", refer("Patient/other"), "")), bare(anybody)},
			[]string{"missing field: meta.lastUpdated", "skip Patient"}},

		{"PUT and POST", "transaction", stamp, []string{request("PUT", "Immunization/1", vaccination("1", refer("Patient/other"), "")), request("POST", "Immunization", vaccination("2", refer("Patient/other"), "")), request("PUT", "Patient/other", anybody)},
			[]string{"Immunization/1 of 9990000026  at 2026-11-01", "Immunization/2 of 9990000026  at 2026-11-01", "skip Patient"}},
		{"DELETE with the resource", "batch", stamp, []string{request("DELETE", "Immunization/1", vaccination("1", refer("Patient/other"), `,"meta":{"lastUpdated":"2026-10-05T08:00:00Z"}`)), bare(anybody)},
			[]string{"retract Immunization/1 of 9990000026 at 2026-11-01", "skip Patient"}},
		{"DELETE in a Bundle without a time", "batch", "", []string{request("DELETE", "Immunization/1", vaccination("1", refer("Patient/other"), `,"meta":{"lastUpdated":"2026-10-05T08:00:00Z"}`)), bare(anybody)},
			[]string{"retract Immunization/1 of 9990000026 at 2026-10-05", "skip Patient"}},
		{"DELETE alone", "batch", stamp, []string{request("DELETE", "Immunization/1", "")}, []string{"not supported: Bundle.entry[0].request"}},
		{"DELETE by a search", "batch", stamp, []string{request("DELETE", "Immunization?identifier=x|y", "")}, []string{"not supported: Bundle.entry[0].request"}},
		{"DELETE of a patient", "batch", stamp, []string{request("DELETE", "Patient/1", "")}, []string{"skip Patient"}},
		{"a patient that is deleted", "batch", stamp, []string{bare(vaccination("1", refer("Patient/other"), "")), request("DELETE", "Patient/other", anybody)},
			[]string{"bad patient: patient.reference", "skip Patient"}},
		{"GET", "batch", stamp, []string{request("GET", "Immunization/1", "")}, []string{"not supported: Bundle.entry[0].request.method"}},
		{"PATCH", "batch", stamp, []string{request("PATCH", "Immunization/1", `{"resourceType":"Parameters"}`)}, []string{"not supported: Bundle.entry[0].request.method"}},
		{"request in a collection", "collection", stamp, []string{request("DELETE", "Immunization/1", vaccination("1", refer("Patient/other"), "")), bare(anybody)},
			[]string{"not FHIR: Bundle.entry[0].request", "skip Patient"}},

		{"history", "history", stamp, []string{
			version("DELETE", "Immunization/1", "2026-10-07T08:00:00Z", ""),
			version("PUT", "Immunization/1", "2026-10-06T08:00:00Z", vaccination("1", refer("Patient/other"), `,"meta":{"versionId":"2"}`)),
			version("POST", "Immunization", "2026-10-05T08:00:00Z", vaccination("1", refer("Patient/other"), `,"meta":{"versionId":"1","lastUpdated":"2026-10-05T08:00:01Z"}`)),
			version("PUT", "Patient/other", "2026-10-05T08:00:00Z", anybody),
			version("PUT", "Patient/other", "2026-10-04T08:00:00Z", strings.Replace(anybody, "9990000026", "9990000034", 1))},
			[]string{"retract Immunization/1 of 9990000026 at 2026-10-07", "Immunization/1 of 9990000026  at 2026-10-06", "Immunization/1 of 9990000026  at 2026-10-05", "skip Patient", "skip Patient"}},
		{"a deletion names the entry that is wrong", "history", stamp, []string{
			version("DELETE", "Immunization/1", "2026-10-07T08:00:00Z", ""), version("PUT", "Immunization/1", "2026-10-06T08:00:00Z", vaccination("1", refer("Patient/no"), ""))},
			[]string{"bad patient: Bundle.entry[1].resource.patient.reference", "bad patient: patient.reference"}},
		{"versions that nothing tells apart", "history", stamp, []string{request("PUT", "Immunization/1", vaccination("1", refer("Patient/other"), `,"recorded":"2026-10-04"`)), bare(anybody)},
			[]string{"missing field: meta.lastUpdated", "skip Patient"}},

		{"no resource", "collection", stamp, []string{`{"fullUrl":"` + uuid + `"}`, `{}`}, []string{"missing field: Bundle.entry[0].resource", "missing field: Bundle.entry[1].resource"}},
		{"entries that are none", "collection", stamp, []string{`1`, `null`, `{"resource":[]}`, `{"fullUrl":1}`, `{"resource":{"resourceType":"Patient"},"resource":{"resourceType":"Patient"}}`, `{"response":{"lastModified":"yesterday"}}`},
			[]string{"bad value: Bundle.entry[0]", "bad value: Bundle.entry[1]", "bad value: Bundle.entry[2].resource", "bad value: Bundle.entry[3].fullUrl", "duplicate key: Bundle.entry[4].resource", "bad time: Bundle.entry[5].response.lastModified"}},
		{"modifiers", "collection", stamp, []string{`{"modifierExtension":[ ],"resource":{"resourceType":"Patient"}}`, `{"modifierExtension":[{"url":"https://x.example"}],"resource":{"resourceType":"Patient"}}`},
			[]string{"skip Patient", "not supported: Bundle.entry[1].modifierExtension[0]"}},
		{"one bad among good", "batch", stamp, []string{bare(`{"resourceType":"Immunization","a":1,"a":2}`), bare(vaccination("2", refer("Patient/other"), "")), bare(anybody), bare(`{"resourceType":"Bundle"}`)},
			[]string{"duplicate key: resource", "Immunization/2 of 9990000026  at 2026-11-01", "skip Patient", "not supported: resourceType"}},
		{"a bad time stamp", "batch", `,"timestamp":"2026-11-01"`, nil, []string{"bad time: Bundle.timestamp must be an instant: a date and a time with seconds and an offset"}},
		{"rules", "batch", `,"implicitRules":"https://x.example"`, nil, []string{"not supported: Bundle.implicitRules must not be there: rules that are not known here could change what the resource says"}},
		{"a document", "document", stamp, nil, []string{"not supported: Bundle.type must be collection, batch, transaction, searchset or history"}},
		{"two times", "batch", stamp + stamp, nil, []string{"duplicate key: Bundle.timestamp must not be given twice"}},
		{"empty", "batch", stamp, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := collect(t, test.kind, test.more, test.entries...)
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestBundleProvider(t *testing.T) {
	body := fmt.Sprintf(`{"resourceType":"Bundle","type":"batch"%s,"entry":[{"resource":%s},{"resource":%s},{"resource":%s},{"resource":%s}]}`, stamp,
		vaccination("1", refer("Patient/pat"), `,"performer":[{"actor":{"reference":"PractitionerRole/r"}}]`), somebody, surgery,
		`{"resourceType":"PractitionerRole","id":"r","contained":[{"resourceType":"Organization","id":"o","identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"SYN007"}]}],"organization":{"reference":"#o"}}`)
	_, items, problem := Bundle([]byte(body), options)
	if problem != nil {
		t.Fatal(problem)
	}
	for item := range items {
		if item.Problem != nil {
			t.Fatal(item.Problem)
		}
		if s := item.Submission; s.Provider != "SYN007" || s.Practice != "SYN001" || s.Where("Practice") != "Bundle.entry[1].resource.generalPractitioner[0]" ||
			s.Where("NHSNumber") != "Bundle.entry[1].resource.identifier[0].value" || s.Where("Time") != "Bundle.timestamp" {
			t.Errorf("%+v", s)
		}
		break
	}
}

// A panel may have its parts as observations of their own.
func TestBundlePressure(t *testing.T) {
	part := func(id, status, code, more string) string {
		return fmt.Sprintf(`{"resource":{"resourceType":"Observation","id":%q,"status":%q,"code":{"coding":[{"system":"http://loinc.org","code":%q}]},"effectiveDateTime":"2026-10-03","subject":{"reference":"Patient/pat"}%s}}`, id, status, code, more)
	}
	panel := part("1", "final", "85354-9", `,"hasMember":[{"reference":"Observation/2"},{"reference":"Observation/3"},{"display":"x"}]`)
	up := part("2", "final", "8480-6", `,"valueQuantity":{"value":127}`)
	for name, test := range map[string]struct {
		down string
		want bool
	}{
		"both":           {part("3", "final", "8462-4", `,"valueQuantity":{"value":81}`), false},
		"not final":      {part("3", "preliminary", "8462-4", `,"valueQuantity":{"value":81}`), true},
		"without values": {part("3", "final", "8462-4", ""), true},
		"missing":        {part("4", "final", "8462-4", `,"valueQuantity":{"value":81}`), true},
	} {
		body := fmt.Sprintf(`{"resourceType":"Bundle","type":"collection"%s,"entry":[%s,%s,%s,{"resource":%s}]}`, stamp, panel, up, test.down, somebody)
		_, items, problem := Bundle([]byte(body), options)
		if problem != nil {
			t.Fatal(problem)
		}
		for item := range items {
			if item.Problem != nil {
				t.Fatal(name, item.Problem)
			}
			if item.Index == 0 && item.Submission.Incomplete != test.want {
				t.Errorf("%s: incomplete %v", name, item.Submission.Incomplete)
			}
			if item.Index == 1 && !item.Submission.Incomplete {
				t.Errorf("%s: a systolic value alone is a blood pressure", name)
			}
		}
	}
}

func TestBundleRefused(t *testing.T) {
	for text, want := range map[string]string{
		``:     "not JSON: Bundle",
		`null`: "not FHIR: Bundle",
		`[]`:   "not FHIR: Bundle",
		`{"resourceType":"Bundle","type":"batch","entry":[{"resource":{}}`:                               "not JSON: Bundle",
		`{"resourceType":"Bundle","type":"batch","entry":[1 2]}`:                                         "not JSON: Bundle",
		`{"resourceType":"Bundle","type":"batch"} x`:                                                     "not JSON: Bundle",
		`{"resourceType":"Bundle","entry":[]}`:                                                           "missing field: Bundle.type",
		`{"resourceType":"Bundle","type":1}`:                                                             "bad value: Bundle.type",
		`{"resourceType":"Bundle","type":"batch","entry":{}}`:                                            "bad value: Bundle.entry",
		`{"resourceType":"Bundle","type":"batch","entry":[],"entry":[]}`:                                 "duplicate key: Bundle.entry",
		`{"resourceType":"Bundle","type":"batch","meta":{"lastUpdated":1}}`:                              "bad value: Bundle.meta.lastUpdated",
		`{"resourceType":"Bundle","type":"batch","entry":[` + strings.Repeat("{},", MaxEntries) + `{}]}`: "too large: Bundle.entry",
	} {
		_, _, problem := Bundle([]byte(text), options)
		got := "none"
		if problem != nil {
			got = problem.Reason + ": " + problem.Field
		}
		if got != want {
			t.Errorf("%.80s: got %q, want %q", text, got, want)
		}
	}
}

func TestKind(t *testing.T) {
	for text, want := range map[string]string{
		`{"resourceType":"Bundle"`: "Bundle",
		`{"id":{"resourceType":"Patient"},"resourceType":"Immunization","x`: "Immunization",
		"\uFEFF{\"resourceType\":\"Observation\"}":                          "Observation",
		`{"resourceType":"9990000018"}`:                                     "",
		`{"resourceType":1}`:                                                "",
		`[]`:                                                                "",
		`x`:                                                                 "",
		``:                                                                  "",
	} {
		if got := Kind([]byte(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
