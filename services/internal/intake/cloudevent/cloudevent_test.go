package cloudevent_test

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gapwatch/schemas"
	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/intake/cloudevent"
)

const whole = `{"specversion":"1.0","id":"1","source":"urn:example:gp","type":"uk.nhs.prevention.vaccination.v1","time":"2026-11-20T09:31:22.5+01:00",
 "datacontenttype":"application/json","extension":{"a":[1]},"data":{"record":"r","status":"completed","person":"999 000 0018","birthDate":"1950-04-01","postcode":"QX1 0AA",
 "lsoa":"X01000001","programme":"flu-65","cohort":"2025-26","occurredAt":"2026-11-20","ethnicity":"A","practice":"A1","provider":"B2","dose":2.0,"plus":["smi","ld"],
 "procedure":["1","http://loinc.org|2"],"product":["3"],"disease":["4","5"],"check":["6"],"correction":true,"subpotent":true,"incomplete":true,"more":null}}`

func TestDecode(t *testing.T) {
	got, problem := cloudevent.Decode([]byte(whole))
	if problem != nil {
		t.Fatal(problem)
	}
	got.Where = nil
	sct := func(code string) admit.Code { return admit.Code{System: admit.SNOMED, Code: code} }
	want := admit.Submission{Source: "urn:example:gp", Record: "r", Time: time.Date(2026, 11, 20, 8, 31, 22, 5e8, time.UTC), Status: event.Completed, Revision: admit.Correction,
		Type: event.TypeVaccination, NHSNumber: "999 000 0018", BirthDate: "1950-04-01", Postcode: "QX1 0AA", LSOA: "X01000001", Programme: "flu-65", Cohort: "2025-26",
		Procedures: []admit.Code{sct("1"), {System: admit.LOINC, Code: "2"}}, Products: []admit.Code{sct("3")}, Diseases: [][]admit.Code{{sct("4"), sct("5")}}, Checks: []admit.Code{sct("6")},
		Subpotent: true, Incomplete: true, OccurredAt: "2026-11-20", Dose: 2, Ethnicity: "A", Practice: "A1", Provider: "B2", Plus: []string{"smi", "ld"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A pseudonym is told from an NHS number; what is null is not there.
func TestPersons(t *testing.T) {
	const hex = "9b74c9897bac770ffc029102a200c5de"
	text := strings.Replace(whole, `"999 000 0018"`, `"`+hex+`","personKey":"k","personPrevious":"`+strings.ToUpper(hex)+`"`, 1)
	if _, problem := cloudevent.Decode([]byte(text)); problem == nil || problem.Field != "data.personPrevious" {
		t.Errorf("%v", problem)
	}
	got, problem := cloudevent.Decode([]byte(strings.Replace(text, strings.ToUpper(hex), "00000000000000000000000000000001", 1)))
	if problem != nil || got.Person.String() != hex || got.PersonKey != "k" || got.Previous[15] != 1 || got.NHSNumber != "" {
		t.Errorf("%+v %v", got, problem)
	}
	for _, none := range []string{strings.Repeat("0", 32), strings.ToUpper(hex), hex[1:]} {
		got, problem := cloudevent.Decode([]byte(strings.Replace(whole, "999 000 0018", none, 1)))
		if problem != nil || got.Person != (event.Pseudonym{}) || got.NHSNumber != none {
			t.Errorf("%s: %+v %v", none, got, problem)
		}
	}
	if got, problem := cloudevent.Decode([]byte(strings.Replace(whole, `"999 000 0018"`, "null", 1))); problem != nil || got.NHSNumber != "" {
		t.Errorf("%+v %v", got, problem)
	}
}

// What is refused is named by its field, and never by its value.
func TestRefused(t *testing.T) {
	change := func(from, to string) string {
		if !strings.Contains(whole, from) {
			t.Fatalf("there is no %s", from)
		}
		return strings.Replace(whole, from, to, 1)
	}
	for text, want := range map[string]string{
		"":                           "not JSON: payload",
		"{":                          "not JSON: payload",
		"[]":                         "not a CloudEvent: payload",
		`"x"`:                        "not a CloudEvent: payload",
		whole + "1":                  "not JSON: payload",
		change(`"1.0"`, `"0.3"`):     "not a CloudEvent: specversion",
		change(`"id":"1",`, ""):      "not a CloudEvent: id",
		change(`"id":"1"`, `"id":1`): "not a CloudEvent: id",
		change("urn:example:gp", ""): "not a CloudEvent: source",
		change(`"application/json"`, `"text/xml"`):                      "not a CloudEvent: datacontenttype",
		change(`"extension":`, `"data_base64":`):                        "not a CloudEvent: data_base64",
		change("09:31", "9:31"):                                         "bad time: time",
		change(`"data":{`, `"data":1,"x":{`):                            "not a CloudEvent: data",
		change(`"data":{`, `"data":null,"x":{`):                         "missing field: data",
		change(`"status":"completed",`, ""):                             "missing field: data.status",
		change(`"completed"`, `"secret"`):                               "unknown status: data.status",
		change(`"completed"`, `["secret"]`):                             "unknown status: data.status",
		change("2.0", "2.5"):                                            "bad dose: data.dose",
		change("2.0", "0"):                                              "bad dose: data.dose",
		change("2.0", `"2"`):                                            "bad dose: data.dose",
		change(`["smi","ld"]`, `"smi"`):                                 "bad groups: data.plus",
		change(`["smi","ld"]`, `["smi",1]`):                             "bad groups: data.plus",
		change(`["smi","ld"]`, `[`+strings.Repeat(`"smi",`, 17)+`"x"]`): "bad groups: data.plus",
		change(`["3"]`, `{"a":1}`):                                      "bad value: data.product",
		change(`"correction":true`, `"correction":"true"`):              "bad correction: data.correction",
		change(`"subpotent":true`, `"subpotent":1`):                     "bad value: data.subpotent",
		change(`"more"`, `"record"`):                                    "duplicate key: payload",
		change(`"a":[1]`, `"a":1,"a":2`):                                "duplicate key: payload",
		change("[1]", strings.Repeat("[", 32)+strings.Repeat("]", 32)):  "nested too deep: payload",
		change("QX1", "QX\xff"):                                         "not UTF-8: payload",
		change("QX1", `QX\ud800`):                                       "not JSON: payload",
		change("QX1", strings.Repeat("x", 1<<20)):                       "too large: payload",
	} {
		got, problem := cloudevent.Decode([]byte(text))
		if problem == nil || problem.Reason+": "+problem.Field != want || problem.Rule == "" {
			t.Errorf("%.80s: %v, want %s", text, problem, want)
		}
		if got.NHSNumber+got.BirthDate+got.Postcode != "" {
			t.Errorf("%.80s: it gives more than names: %+v", text, got)
		}
		if problem != nil && strings.Contains(problem.Error(), "secret") {
			t.Error(problem)
		}
	}
	quoted := change(`"a":[1]`, `"a":"`+strings.Repeat("[{", 40)+`"`)
	if _, problem := cloudevent.Decode([]byte(quoted)); problem != nil {
		t.Errorf("brackets in a text: %v", problem)
	}
}

// What the contract's examples say is read as the collector reads it: each that is valid is taken here, but for its person.
func TestExamplesOfTheContract(t *testing.T) {
	files, err := schemas.Files.ReadDir("events")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	examples, err := filepath.Glob("../../../../schemas/events/examples/valid/*.json")
	if err != nil || len(examples) < 10 {
		t.Fatal(err, len(examples))
	}
	for _, path := range examples {
		text := read(t, path)
		sub, problem := cloudevent.Decode(text)
		if problem != nil {
			t.Errorf("%s: %v", path, problem)
			continue
		}
		var said struct{ Data map[string]any }
		if err := json.Unmarshal(text, &said); err != nil {
			t.Fatal(err)
		}
		if sub.Record != said.Data["record"] || sub.Person.String() != said.Data["person"] || sub.Programme != said.Data["programme"] || sub.OccurredAt != said.Data["occurredAt"] {
			t.Errorf("%s: %+v", path, sub)
		}
	}
}

// Each field of a submission has a place in a CloudEvent, but for those that only other doors fill in.
func TestEveryFieldHasAPlace(t *testing.T) {
	sub, _ := cloudevent.Decode([]byte(whole))
	kind := reflect.TypeFor[admit.Submission]()
	for i := range kind.NumField() {
		name := kind.Field(i).Name
		if at := sub.Where(name); at == name && !slices.Contains([]string{"Why", "Doses", "Where"}, name) {
			t.Errorf("%s has no place", name)
		}
	}
}

func TestBinaryMode(t *testing.T) {
	attributes := map[string]string{"specversion": "1.0", "id": "1", "source": "urn:example:gp", "type": event.TypeVaccination, "time": "2026-11-20T09:31:22Z"}
	get := func(name string) string { return attributes[name] }
	if sub, problem := cloudevent.DecodeBinary(get, []byte(`{"record":"r","status":"not-done"}`)); problem != nil || sub.Record != "r" || sub.Status != event.NotDone {
		t.Errorf("%+v %v", sub, problem)
	}
	attributes["id"] = "\xff"
	if _, problem := cloudevent.DecodeBinary(get, []byte("{}")); problem == nil || problem.Field != "id" {
		t.Error(problem)
	}
}
