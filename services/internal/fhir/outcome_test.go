package fhir

import (
	"encoding/json"
	"strings"
	"testing"

	"gapwatch/services/internal/admit"
)

// The codes of FHIR R4's value set issue-type.
var issueTypes = strings.Fields(`invalid structure required value invariant security login unknown expired forbidden suppressed
	processing not-supported duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly business-rule conflict
	transient lock-error no-store exception timeout incomplete throttled informational`)

type outcome struct {
	ResourceType string `json:"resourceType"`
	Issue        []struct {
		Severity string `json:"severity"`
		Code     string `json:"code"`
		Details  struct {
			Coding []struct{ System, Code string } `json:"coding"`
			Text   string                          `json:"text"`
		} `json:"details"`
		Diagnostics string   `json:"diagnostics"`
		Expression  []string `json:"expression"`
	} `json:"issue"`
}

func readOutcome(t *testing.T, text []byte) outcome {
	t.Helper()
	var o outcome
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if o.ResourceType != "OperationOutcome" || len(o.Issue) == 0 {
		t.Fatalf("no outcome: %s", text)
	}
	for _, issue := range o.Issue {
		known := false
		for _, code := range issueTypes {
			known = known || code == issue.Code
		}
		if !known || issue.Severity != "error" && issue.Severity != "information" || issue.Details.Text == "" {
			t.Errorf("%+v", issue)
		}
	}
	return o
}

func TestOutcome(t *testing.T) {
	refused := func(reason, field string) *admit.Problem {
		return &admit.Problem{Reason: reason, Field: field, Rule: "must be right"}
	}
	for _, test := range []struct {
		answer                                              Answer
		severity, code, verdict, text, diagnostics, element string
	}{
		{Answer{Index: 2, Type: "Immunization", Verdict: Accepted, Record: "ab12"}, "information", "informational", "accepted", "accepted", "item 3, record ab12", ""},
		{Answer{Verdict: Accepted, Why: "the postcode is not in the look-up file"}, "information", "informational", "accepted", "accepted: the postcode is not in the look-up file", "item 1", ""},
		{Answer{Verdict: Duplicate, Record: "ab12"}, "information", "duplicate", "duplicate", "was accepted before, as it is", "item 1, record ab12", ""},
		{Answer{Verdict: NoProgramme, Why: "the age is outside"}, "information", "business-rule", "no-programme", "counts for no programme: the age is outside", "item 1", ""},
		{Answer{Verdict: Skipped}, "information", "informational", "no-record", "is no record that could count", "item 1", ""},
		{Answer{Type: "Immunization", Verdict: Rejected, Problem: refused("bad dose", "protocolApplied[0].doseNumberPositiveInt")}, "error", "value", "rejected",
			"protocolApplied[0].doseNumberPositiveInt must be right", "item 1", "Immunization.protocolApplied[0].doseNumber"},
		{Answer{Type: "Immunization", Verdict: Rejected, Problem: refused("bad code", "extension[0].valueCodeableConcept.coding[0].code")}, "error", "code-invalid", "rejected",
			"extension[0].valueCodeableConcept.coding[0].code must be right", "item 1", "Immunization.extension[0].value.coding[0].code"},
		{Answer{Index: 3, InBundle: true, Type: "Observation", Verdict: Rejected, Problem: refused("missing field", "effectiveDateTime")}, "error", "required", "rejected",
			"effectiveDateTime must be right", "entry 4", "Bundle.entry[3].resource.effective"},
		{Answer{Index: 3, InBundle: true, Verdict: Rejected, Problem: refused("bad birth date", "Bundle.entry[1].resource.birthDate")}, "error", "value", "rejected",
			"Bundle.entry[1].resource.birthDate must be right", "entry 4", "Bundle.entry[1].resource.birthDate"},
		{Answer{Index: 3, InBundle: true, Verdict: Rejected, Problem: refused("not JSON", "resource")}, "error", "structure", "rejected", "the resource must be right", "entry 4", "Bundle.entry[3].resource"},
		{Answer{Verdict: Rejected, Problem: refused("too large", "resource")}, "error", "too-long", "rejected", "the resource must be right", "item 1", ""},
		{Answer{Verdict: Rejected, Problem: refused("not JSON", "Bundle")}, "error", "structure", "rejected", "Bundle must be right", "item 1", "Bundle"},
		{Answer{Type: "Immunization", Verdict: Rejected, Problem: refused("not supported", "modifierExtension[0]")}, "error", "extension", "rejected", "modifierExtension[0] must be right", "item 1", "Immunization.modifierExtension[0]"},
		{Answer{Type: "Immunization", Verdict: Rejected, Problem: refused("bad patient", "patient.reference")}, "error", "not-found", "rejected", "patient.reference must be right", "item 1", "Immunization.patient.reference"},
		{Answer{Type: "Immunization", Verdict: Rejected, Problem: refused("bad patient", "contained")}, "error", "invariant", "rejected", "contained must be right", "item 1", "Immunization.contained"},
	} {
		o := readOutcome(t, AppendOutcome(nil, test.answer))
		issue := o.Issue[0]
		got := say(issue.Severity, issue.Code, issue.Details.Coding[0].System, issue.Details.Coding[0].Code, "|", issue.Details.Text, "|", issue.Diagnostics, "|", strings.Join(issue.Expression, " "))
		if want := say(test.severity, test.code, VerdictSystem, test.verdict, "|", test.text, "|", test.diagnostics, "|", test.element); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if o := readOutcome(t, AppendOutcome(nil, Answer{Verdict: Accepted}, Answer{Index: 1, Verdict: Skipped})); len(o.Issue) != 2 {
		t.Errorf("%+v", o)
	}
	if o := readOutcome(t, AppendOutcome(nil)); o.Issue[0].Severity != "information" {
		t.Errorf("%+v", o)
	}
	if o := readOutcome(t, AppendProblem(nil, "throttled", `wait "a bit"`)); o.Issue[0].Severity != "error" || o.Issue[0].Details.Text != `wait "a bit"` {
		t.Errorf("%+v", o)
	}
	// Every reason there is has a code of the value set.
	for _, reason := range admit.Reasons {
		readOutcome(t, AppendOutcome(nil, Answer{Verdict: Rejected, Problem: refused(reason, "status")}))
	}
}

func TestResponse(t *testing.T) {
	statuses := map[Verdict]string{
		Accepted: "202 Accepted", Duplicate: "200 OK", NoProgramme: "200 OK", Skipped: "200 OK", Rejected: "422 Unprocessable Entity",
	}
	var answers []Answer
	for verdict := Accepted; verdict <= Rejected; verdict++ {
		answers = append(answers, Answer{InBundle: true, Index: len(answers), Verdict: verdict})
	}
	answers = append(answers, Answer{InBundle: true, Index: len(answers), Verdict: Accepted, Why: "the area is not known"})
	for _, brief := range []bool{false, true} {
		var bundle struct {
			ResourceType, Type string
			Entry              []struct {
				Response struct {
					Status  string          `json:"status"`
					Outcome json.RawMessage `json:"outcome"`
				} `json:"response"`
			}
		}
		if err := json.Unmarshal(AppendResponse(nil, "batch", brief, answers...), &bundle); err != nil {
			t.Fatal(err)
		}
		if bundle.ResourceType != "Bundle" || bundle.Type != "batch-response" || len(bundle.Entry) != len(answers) {
			t.Fatalf("%+v", bundle)
		}
		for i, entry := range bundle.Entry {
			if want := statuses[answers[i].Verdict]; entry.Response.Status != want {
				t.Errorf("%d: %s, want %s", i, entry.Response.Status, want)
			}
			if brief && (i == 0 || i == 1) {
				if entry.Response.Outcome != nil {
					t.Errorf("%d: %s", i, entry.Response.Outcome)
				}
				continue
			}
			readOutcome(t, entry.Response.Outcome)
		}
	}
}
