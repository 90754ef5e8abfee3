package fhir_test

import (
	"fmt"
	"strings"
	"testing"

	"gapwatch/services/internal/fhir"
)

// However many references lead to a resource, it is read once: what a hostile text costs grows with its size, not with its square.
// Counted in allocations, since a busy machine tells no time.
func TestWhatManyReferencesCost(t *testing.T) {
	const number = `"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9434765919"}]`
	many := func(n int, text string) string { return strings.TrimSuffix(strings.Repeat(text+",", n), ",") }
	bundle := func(entries string) func() {
		body := []byte(`{"resourceType":"Bundle","type":"collection","timestamp":"2026-10-03T10:00:00Z","entry":[` + entries + "]}")
		return func() {
			_, items, problem := fhir.Bundle(body, fhir.Options{Source: "urn:x"})
			if problem != nil {
				t.Fatal(problem)
			}
			for item := range items {
				if item.Problem != nil {
					t.Fatal(item.Problem)
				}
			}
		}
	}
	codings := `"coding":[` + many(1500, `{"system":"urn:x","code":"1"}`) + `]`
	immunization := `"resourceType":"Immunization","status":"completed","vaccineCode":{"coding":[]},"occurrenceDateTime":"2026-10-03","recorded":"2026-10-03"`
	var records strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&records, `,{"resource":{%s,"id":"i%d","patient":{"reference":"Patient/p"}}}`, immunization, i)
	}
	for name, run := range map[string]func(){
		"members": bundle(`{"resource":{"resourceType":"Observation","id":"1","status":"final","subject":{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9434765919"}},` +
			`"effectiveDateTime":"2026-10-03","code":{` + codings + `}}},{"resource":{"resourceType":"Observation","id":"2","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},` +
			`"effectiveDateTime":"2026-10-03","subject":{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9434765919"}},"hasMember":[` + many(1500, `{"reference":"Observation/1"}`) + `]}}`),
		"one patient of many": bundle(`{"resource":{"resourceType":"Patient","id":"p",` + number + `,"address":[` + many(1500, `{"use":"old","postalCode":"x"}`) + `]}}` + records.String()),
		"contained": func() {
			text := `{` + immunization + `,"id":"a","patient":{"reference":"#p"},"contained":[{"resourceType":"Patient","id":"p",` + number + `},{"resourceType":"Organization","id":"o","identifier":[` +
				many(700, `{"value":"x"}`) + `]},` + many(1000, `{"id":"x"}`) + `],"performer":[` + many(400, `{"actor":{"reference":"#y"}},{"actor":{"reference":"#o"}}`) + `]}`
			if _, problem, _ := fhir.Decode([]byte(text), fhir.Options{Source: "urn:x"}); problem != nil {
				t.Fatal(problem)
			}
		},
	} {
		if allocations := testing.AllocsPerRun(1, run); allocations > 25_000 {
			t.Errorf("%s: %.0f allocations", name, allocations)
		} else {
			t.Logf("%s: %.0f allocations", name, allocations)
		}
	}
}
