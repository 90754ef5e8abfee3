package fhir

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every element that the senders' page names is one that is read, and every one that is read is named there.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../../schemas/FHIR.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	rows := 0
	for line := range strings.Lines(string(text)) {
		first, rest, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !strings.HasPrefix(line, "| `") || !ok || rest == "" {
			continue
		}
		rows++
		for _, m := range quoted.FindAllStringSubmatch(first, -1) {
			for _, name := range strings.Split(m[1], ".") {
				if !names[name] {
					t.Errorf("%q is not read", m[1])
				}
			}
		}
	}
	if rows < 15 {
		t.Errorf("%d rows", rows)
	}
	passed := map[string]bool{ // within what is named, or looked at for its type only
		"use": true, "system": true, "value": true, "coding": true, "reference": true, "type": true, "versionId": true, "lastUpdated": true,
		"url": true, "valueCodeableConcept": true, "start": true, "end": true, "valueQuantity": true, "valueInteger": true, "function": true, "actor": true,
		"link": true, "active": true, "gender": true, "organization": true, "providedBy": true, "primarySource": true, "lotNumber": true,
		"expirationDate": true, "doseQuantity": true, "reported": true, "explanation": true, "practitioner": true, "related": true, "context": true,
		"effectiveTiming": true, "entry": true, "fullUrl": true, "resourceType": true, "resource": true, "response": true, "request": true, "method": true,
	}
	for name := range names {
		if !passed[name] && !regexp.MustCompile("`[^`]*\\b"+name+"\\b[^`]*`").Match(text) {
			t.Errorf("%s is read and not on the page", name)
		}
	}
}
