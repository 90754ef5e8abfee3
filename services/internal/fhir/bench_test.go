package fhir

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sample is a vaccination as a pharmacy's system sends it: every element that the NHS immunisation API asks for, and the displays
// that such systems fill in. 3.2 KB.
const sample = `{
  "resourceType": "Immunization",
  "contained": [
    {"resourceType": "Practitioner", "id": "p1", "name": [{"family": "Sample", "given": ["Pat"]}]},
    {"resourceType": "Patient", "id": "p2",
     "extension": [{"url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EthnicCategory", "valueCodeableConcept":
       {"coding": [{"system": "https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategoryEngland", "code": "H", "display": "Asian or Asian British - Indian"}]}}],
     "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
     "name": [{"use": "official", "family": "Example", "given": ["Test", "Only"]}], "gender": "female", "birthDate": "1948-05-17",
     "address": [{"use": "home", "line": ["1 Nowhere Street"], "city": "Northmoor", "postalCode": "ZZ99 3VZ"}],
     "generalPractitioner": [{"type": "Organization", "identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "SYN001"}}]}
  ],
  "extension": [{"url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure", "valueCodeableConcept":
    {"coding": [{"system": "http://snomed.info/sct", "code": "822851000000102", "display": "Seasonal influenza vaccination (procedure)"}]}}],
  "identifier": [{"use": "official", "system": "https://pharmacy.example/vaccinations", "value": "vacc-000001"}],
  "meta": {"versionId": "1", "lastUpdated": "2026-10-03T10:12:45.123+01:00", "profile": ["https://fhir.hl7.org.uk/StructureDefinition/UKCore-Immunization"]},
  "status": "completed",
  "vaccineCode": {"coding": [{"system": "http://snomed.info/sct", "code": "39566211000001103",
    "display": "A quadrivalent influenza vaccine suspension for injection 0.5ml pre-filled syringes (A Maker) (product)"}]},
  "patient": {"reference": "#p2"},
  "occurrenceDateTime": "2026-10-03T10:05:00+01:00",
  "recorded": "2026-10-03",
  "primarySource": true,
  "manufacturer": {"display": "A Maker"},
  "location": {"type": "Location", "identifier": {"value": "X99999", "system": "https://fhir.nhs.uk/Id/ods-organization-code"}},
  "lotNumber": "LOT4120Z001", "expirationDate": "2027-07-02",
  "site": {"coding": [{"system": "http://snomed.info/sct", "code": "368208006", "display": "Left upper arm structure (body structure)"}]},
  "route": {"coding": [{"system": "http://snomed.info/sct", "code": "78421000", "display": "Intramuscular route (qualifier value)"}]},
  "doseQuantity": {"value": 0.5, "unit": "milliliter", "system": "http://unitsofmeasure.org", "code": "ml"},
  "performer": [{"actor": {"reference": "#p1"}},
    {"actor": {"type": "Organization", "identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "FSY01"}}}],
  "reasonCode": [{"coding": [{"code": "443684005", "system": "http://snomed.info/sct", "display": "Disease outbreak (event)"}]}],
  "protocolApplied": [{"targetDisease": [{"coding": [{"system": "http://snomed.info/sct", "code": "6142004", "display": "Influenza"}]}],
    "doseNumberPositiveInt": 1}]
}`

// cpu reports the processor time of n resources in each turn of a benchmark: unlike the time on the wall it is the same on a busy
// machine.
func cpu(b *testing.B, n int) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/1e3/float64(n)/float64(b.N), "cpu-µs/resource") }
}

// The aim is 40 microseconds of CPU a resource: then NDJSON keeps up with a tenth of the plain publish rate.
func BenchmarkDecode(b *testing.B) {
	text := []byte(sample)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	defer cpu(b, 1)()
	for b.Loop() {
		if _, problem, _ := Decode(text, Options{}); problem != nil {
			b.Fatal(problem)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	line := strings.ReplaceAll(sample, "\n", " ") + "\n"
	body := []byte(strings.Repeat(line, 1000))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	defer cpu(b, 1000)()
	for b.Loop() {
		n := 0
		for item, err := range Lines(bytes.NewReader(body), Options{}) {
			if err != nil || item.Problem != nil {
				b.Fatal(err, item.Problem)
			}
			n++
		}
		if n != 1000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkBundle(b *testing.B) {
	var body bytes.Buffer
	body.WriteString(`{"resourceType":"Bundle","type":"collection","entry":[`)
	for i := range 1000 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"fullUrl":"https://pharmacy.example/Immunization/%d","resource":%s}`, i, sample)
	}
	body.WriteString("]}")
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	defer cpu(b, 1000)()
	for b.Loop() {
		_, entries, problem := Bundle(body.Bytes(), Options{})
		if problem != nil {
			b.Fatal(problem)
		}
		for item := range entries {
			if item.Problem != nil {
				b.Fatal(item.Problem)
			}
		}
	}
}
