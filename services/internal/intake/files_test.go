package intake_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/event"
)

const csvHead = "nhs_number,record,occurred_at,time,procedure_code,birth_date,lsoa,revision\n"

// Rows of our own layout, each with its own outcome, named by the row that a spreadsheet shows.
func TestCSV(t *testing.T) {
	d := open(t, nil)
	rows := []string{
		anna + ",c-1,2026-11-20,2026-11-20T09:00:00Z,822851000000102,1950-04-01,X01000001,new",
		"9990000019,c-2,2026-11-20,2026-11-20T09:00:00Z,822851000000102,1950-04-01,X01000001,new",
		ben + ",c-3,2026-11-20,2026-11-20T09:00:00Z,822851000000102,2001-04-01,X01000001,new",
		anna + ",c-1,2026-11-20,2026-11-20T09:00:00Z,822851000000102,1950-04-01,X01000001,new",
	}
	body := csvHead + strings.Join(rows, "\n") + "\n"
	a := d.send(http.StatusAccepted, request{path: "/v1/csv", media: "text/csv; charset=utf-8", body: body})
	if a.Items != 4 || a.Accepted != 1 || a.Rejected != 1 || a.NoProgramme != 1 || a.Duplicates != 1 {
		t.Fatalf("%s", a.text)
	}
	if r := a.Results[1]; r.Item != 3 || r.Field != "nhs_number" || r.Record == "" {
		t.Errorf("%+v", r)
	}
	if r := a.Results[2]; r.Why == "" || r.Record == "" {
		t.Errorf("%+v", r)
	}
	if metrics := d.metrics(); !strings.Contains(metrics, "gapwatch_intake_no_programme_total") || !strings.Contains(metrics, a.Results[2].Why) {
		t.Error("the metrics do not say why there is no programme")
	}
	all := d.messages()
	if len(all) != 1 || all[0].event.Source != "urn:example:gp" || all[0].event.Programme != "flu-65" {
		t.Fatalf("%d messages: %+v", len(all), all)
	}
	// The same record by the other door is the same record.
	same := strings.Replace(jab("c-1", anna, ""), "2026-11-20T09:31:22Z", "2026-11-21T09:00:00Z", 1)
	if b := d.send(http.StatusAccepted, request{path: "/v1/events", media: one, body: same}); b.Results[0].Record != a.Results[0].Record {
		t.Errorf("%s", b.text)
	}
	// A file that says no times has that of the extract, from the query or from its name.
	untimed := strings.ReplaceAll(body, "2026-11-20T09:00:00Z", "")
	for query, want := range map[string]string{"?extracted=2026-11-21T10:00:00Z": "2026-11-21T10:00:00Z", "?filename=Flu_Vaccinations_v5_X26_20261121T11000000.csv": "2026-11-21T11:00:00Z"} {
		d.send(http.StatusAccepted, request{path: "/v1/csv" + query, media: "text/csv", body: untimed})
		all := d.messages()
		if got := all[len(all)-1].event.Time.Round(time.Second).Format(time.RFC3339); got != want {
			t.Errorf("%s: time %s, want %s", query, got, want)
		}
	}
	for name, c := range map[string]struct {
		query, media, body string
		status             int
	}{
		"layout":         {"?layout=theirs", "text/csv", body, 400},
		"extracted":      {"?extracted=today", "text/csv", body, 400},
		"charset":        {"", "text/csv; charset=utf-16", body, 415},
		"no parameter":   {"", "text/csv; charset", body, 415},
		"two charsets":   {"", "text/csv; charset=utf-8; charset=windows-1252", body, 415},
		"media":          {"", "application/vnd.ms-excel", body, 415},
		"nothing":        {"", "text/csv", "", 422},
		"header":         {"", "text/csv", "a,b,c\n1,2,3\n", 422},
		"quote not shut": {"", "text/csv", body + `"` + anna + ",c-9,2026-11-20,,,,,new\n", 422},
	} {
		a, err := d.try(request{path: "/v1/csv" + c.query, media: c.media, body: c.body})
		if err != nil {
			t.Fatal(err)
		}
		if a.status != c.status || strings.Contains(a.text, anna) {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
		if c.status == 415 && a.header.Get("Accept-Post") != "text/csv" {
			t.Errorf("%s: %v", name, a.header)
		}
		if (name == "no parameter" || name == "two charsets") && !strings.Contains(a.Detail, "Content-Type must be of the form name=value") {
			t.Errorf("%s: %s", name, a.text)
		}
		if name == "quote not shut" && (a.Items != 5 || a.Rejected != 2 || !strings.HasSuffix(a.Type, ":unreadable")) {
			t.Errorf("%s: %s", name, a.text)
		}
	}
}

// Windows-1252 and the NHS batch layout: a record is made, updated and deleted.
func TestNHSBatch(t *testing.T) {
	d := open(t, nil)
	columns := strings.Fields("NHS_NUMBER PERSON_SURNAME PERSON_DOB PERSON_POSTCODE DATE_AND_TIME SITE_CODE SITE_CODE_TYPE_URI UNIQUE_ID UNIQUE_ID_URI ACTION_FLAG RECORDED_DATE VACCINATION_PROCEDURE_CODE VACCINE_PRODUCT_CODE DOSE_SEQUENCE")
	row := func(action string) string {
		return strings.Join([]string{anna, "M\xfcller", "19500401", "XX1 1XX", "20261120T11525000", "RJ1", "https://fhir.nhs.uk/Id/ods-organization-code", "u-1", "urn:example:gp-2", action,
			"20261120", "822851000000102", "", "1"}, "|") + "\n"
	}
	head := strings.Join(columns, "|") + "\n"
	for i, action := range []string{"NEW", "update", "DELETE"} {
		a := d.send(http.StatusAccepted, request{path: fmt.Sprintf("/v1/csv?layout=nhs-batch&extracted=2026-11-21T1%d:00:00Z", i), media: "text/csv; charset=windows-1252", body: head + row(action)})
		if a.Accepted != 1 {
			t.Errorf("%s: %s", action, a.text)
		}
	}
	all := d.messages()
	if len(all) != 3 || all[0].event.RecordID != all[2].event.RecordID || all[2].event.Status != event.EnteredInError || !all[0].event.Version.Less(all[2].event.Version) {
		t.Errorf("%+v", all)
	}
}

// immunization is a flu vaccination in FHIR.
func immunization(id, number, birth string) string {
	return fmt.Sprintf(`{"resourceType":"Immunization","meta":{"lastUpdated":"2026-11-20T09:00:00Z"},"contained":[{"resourceType":"Patient","id":"p",
 "identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"%s"}],"birthDate":"%s"}],
 "identifier":[{"system":"urn:example:gp","value":"%s"}],"status":"completed","patient":{"reference":"#p"},"occurrenceDateTime":"2026-11-20",
 "vaccineCode":{"coding":[{"system":"http://snomed.info/sct","code":"39566211000001103"}]},
 "protocolApplied":[{"targetDisease":[{"coding":[{"system":"http://snomed.info/sct","code":"6142004"}]}],"doseNumberPositiveInt":1}]}`, number, birth, id)
}

type operationOutcome struct {
	Issue []struct {
		Severity, Code, Diagnostics string
		Details                     struct{ Text string }
		Expression                  []string
	}
}

func TestFHIR(t *testing.T) {
	d := open(t, nil)
	const media = "application/fhir+json"
	a := d.send(http.StatusAccepted, request{path: "/v1/fhir", media: media, body: immunization("f-1", anna, "1950-04-01")})
	var outcome operationOutcome
	unmarshal(t, a.text, &outcome)
	if len(outcome.Issue) != 1 || outcome.Issue[0].Severity != "information" || a.header.Get("Content-Type") != media {
		t.Errorf("%s", a.text)
	}
	all := d.messages()
	if len(all) != 1 || all[0].event.Programme != "flu-65" || all[0].event.Dose != 1 {
		t.Fatalf("%+v", all)
	}
	a = d.send(http.StatusUnprocessableEntity, request{path: "/v1/fhir", media: media, body: immunization("f-2", "9990000019", "1950-04-01")})
	unmarshal(t, a.text, &outcome)
	if len(outcome.Issue) != 1 || outcome.Issue[0].Severity != "error" || strings.Contains(a.text, "9990000019") || !strings.Contains(a.text, "identifier") {
		t.Errorf("%s", a.text)
	}
	bundle := func(kind string, resources ...string) string {
		entries := make([]string, len(resources))
		for i, resource := range resources {
			entries[i] = `{"resource":` + resource + `}`
			if kind == "transaction" || kind == "batch" {
				entries[i] = `{"resource":` + resource + `,"request":{"method":"POST","url":"Immunization"}}`
			}
		}
		return `{"resourceType":"Bundle","type":"` + kind + `","timestamp":"2026-11-20T10:00:00Z","entry":[` + strings.Join(entries, ",") + `]}`
	}
	mixed := []string{immunization("f-3", anna, "1950-04-01"), immunization("f-4", "9990000019", "1950-04-01"), immunization("f-5", ben, "2001-04-01")}
	a = d.send(http.StatusAccepted, request{path: "/v1/fhir", media: media, body: bundle("collection", mixed...)})
	unmarshal(t, a.text, &outcome)
	if len(outcome.Issue) != 3 || outcome.Issue[1].Severity != "error" || outcome.Issue[0].Severity == "error" || outcome.Issue[2].Severity == "error" {
		t.Errorf("%s", a.text)
	}
	if n := d.stored(); n != 2 && n != 3 {
		t.Errorf("%d are stored", n)
	}
	// A transaction is taken as a whole or not at all.
	before := d.stored()
	a = d.send(http.StatusUnprocessableEntity, request{path: "/v1/fhir", media: media, body: bundle("transaction", immunization("f-6", anna, "1950-04-01"), mixed[1])})
	unmarshal(t, a.text, &outcome)
	if len(outcome.Issue) != 1 || d.stored() != before {
		t.Errorf("%d stored before, %d after: %s", before, d.stored(), a.text)
	}
	var response struct {
		ResourceType, Type string
		Entry              []struct {
			Response struct {
				Status  string
				Outcome *operationOutcome
			}
		}
	}
	a = d.send(http.StatusAccepted, request{path: "/v1/fhir", media: media, body: bundle("transaction", immunization("f-6", anna, "1950-04-01"), immunization("f-7", ben, "1950-04-01"))})
	unmarshal(t, a.text, &response)
	if d.stored() != before+2 || response.ResourceType != "Bundle" || response.Type != "transaction-response" || len(response.Entry) != 2 {
		t.Errorf("%d are stored: %s", d.stored(), a.text)
	}
	// The answer to a batch has an entry for each of its entries, in their order, also where only what matters is asked for.
	a = d.send(http.StatusAccepted, request{path: "/v1/fhir", media: media, body: bundle("batch", mixed...), header: map[string]string{"Prefer": "return=minimal"}})
	response.Entry = nil
	unmarshal(t, a.text, &response)
	if e := response.Entry; response.Type != "batch-response" || len(e) != 3 || e[0].Response.Status[:3] != "200" || e[0].Response.Outcome != nil ||
		e[1].Response.Status[:3] != "422" || len(e[1].Response.Outcome.Issue) != 1 || !strings.HasPrefix(e[1].Response.Outcome.Issue[0].Diagnostics, "entry 2") ||
		e[2].Response.Status[:3] != "200" {
		t.Errorf("%s", a.text)
	}
	// One resource a line, one outcome a line.
	text := ""
	for _, resource := range mixed {
		text += strings.ReplaceAll(resource, "\n", "") + "\n"
	}
	a = d.send(http.StatusAccepted, request{path: "/v1/fhir", media: "application/fhir+ndjson", body: text})
	if out := strings.Split(strings.TrimSpace(a.text), "\n"); len(out) != 3 || !strings.Contains(out[1], `"error"`) || a.header.Get("Content-Type") != "application/fhir+ndjson" {
		t.Errorf("%s", a.text)
	} else {
		for _, line := range out {
			if err := json.Unmarshal([]byte(line), &outcome); err != nil {
				t.Error(err)
			}
		}
	}
	// A line is named by where a text editor shows it.
	a = d.send(http.StatusUnprocessableEntity, request{path: "/v1/fhir", media: "application/fhir+ndjson", body: "\n\n{}\n"})
	if !strings.Contains(a.text, `"item 3"`) {
		t.Errorf("%s", a.text)
	}
	// So many Bundles are read at once and no more: each is in memory as a whole.
	var held []*io.PipeWriter
	answers := make(chan reply, 8)
	for range 8 {
		reader, writer := io.Pipe()
		held = append(held, writer)
		go func() {
			a, err := d.try(request{path: "/v1/fhir", media: media, from: reader})
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}()
		if _, err := io.WriteString(writer, " "); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "eight are in hand", func() bool { return strings.Contains(d.metrics(), "gauge:{value:8}") })
	d.send(http.StatusServiceUnavailable, request{path: "/v1/fhir", media: media, from: io.MultiReader(strings.NewReader("{}"))})
	d.send(http.StatusAccepted, request{path: "/v1/fhir", media: media, body: immunization("f-1", anna, "1950-04-01")})
	for _, writer := range held {
		_, _ = io.WriteString(writer, immunization("f-1", anna, "1950-04-01"))
		_ = writer.Close()
		if a := <-answers; a.status != http.StatusAccepted {
			t.Errorf("%s", a.text)
		}
	}
	for name, c := range map[string]struct {
		media, body string
		status      int
	}{
		"no JSON": {media, "x", 422}, "empty": {media, "", 400}, "media": {"application/fhir+xml", "<a/>", 415}, "another resource": {media, `{"resourceType":"Patient"}`, 202},
		"no resource": {media, `{}`, 422}, "broken Bundle": {media, `{"resourceType":"Bundle","type":"batch","entry":{}}`, 422},
		"large":        {media, strings.Replace(immunization("f-1", anna, "1950-04-01"), `"status"`, `"x":"`+strings.Repeat("x", 1<<20)+`","status"`, 1), 413},
		"large Bundle": {media, `{"resourceType":"Bundle","x":"` + strings.Repeat("x", 17<<20) + `"}`, 413},
	} {
		a, err := d.try(request{path: "/v1/fhir", media: c.media, body: c.body})
		if err != nil {
			t.Fatal(err)
		}
		if a.status != c.status || !strings.Contains(a.text, `"OperationOutcome"`) || strings.Contains(a.text, anna) {
			t.Errorf("%s: %d %.500s", name, a.status, a.text)
		}
	}
	for _, text := range []string{d.log.String(), d.metrics()} {
		if strings.Contains(text, anna) || strings.Contains(text, "1950-04-01") {
			t.Error("something personal is in logs or metrics")
		}
	}
}
