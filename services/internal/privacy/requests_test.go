package privacy_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// request is what a sender sends. Every one is of people of its own.
type request struct {
	name     string
	method   string // POST if empty
	path     string
	media    string
	body     string
	header   http.Header
	token    string // of the sender gp if empty
	accepted int    // items that must be accepted; -1 where it does not matter
	raw      string // instead of all of this: what is written to the connection, before it is closed
}

// matrix is a request for each part of a thing and each kind of value in it: values in wrong places.
func matrix(all *people, name string, parts []string, build func(p person, part, value string) request) (list []request) {
	for _, part := range parts {
		for kind, value := range sorted(map[string]func(person) string{
			"number":         func(p person) string { return p.number },
			"spaced number":  func(p person) string { return p.spaced() },
			"family name":    func(p person) string { return p.family },
			"small name":     func(p person) string { return strings.ToLower(p.given) },
			"postcode":       func(p person) string { return p.postcode },
			"short postcode": func(p person) string { return p.compact() },
			"birth date":     func(p person) string { return p.birth },
			"NHS birth date": func(p person) string { return p.born() },
			"everything": func(p person) string {
				return p.given + " " + p.family + ", " + p.birth + ", " + p.postcode + ", " + p.dashed()
			},
		}) {
			if free[name+" "+part] {
				continue
			}
			where := fmt.Sprintf("%s, %s in %s", name, kind, part)
			p := all.plant(where)
			r := build(p, part, value(p))
			r.name, r.accepted = where, -1
			list = append(list, r)
		}
	}
	return list
}

// free are the fields whose text is Gapwatch's to keep as it is.
var free = map[string]bool{"event list plus": true, "own file plus": true}

// sorted goes through a map in the order of its keys, so that every run of the test is alike.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

// set is a JSON document with a value at a path of keys and indices.
func set(document any, value any, path ...any) string {
	at := document
	for i, step := range path {
		last := i == len(path)-1
		switch step := step.(type) {
		case string:
			object := at.(map[string]any)
			if last {
				object[step] = value
			}
			at = object[step]
		case int:
			list := at.([]any)
			if last {
				list[step] = value
			}
			at = list[step]
		}
	}
	return text(document)
}

func text(document any) string {
	data, err := json.Marshal(document)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// packed is text in gzip.
func packed(text string) string {
	var data bytes.Buffer
	w := gzip.NewWriter(&data)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return data.String()
}

// Media types.
const (
	aCloudEvent = "application/cloudevents+json"
	cloudEvents = "application/cloudevents-batch+json"
	jsonLines   = "application/x-ndjson"
	aResource   = "application/fhir+json"
	resources   = "application/fhir+ndjson"
	aFile       = "text/csv; charset=utf-8"
)

var records int

// record is a new record's identity.
func record() string {
	records++
	return fmt.Sprintf("rec-%d-%c", records, 'a'+records%26)
}

// event is a flu jab as a CloudEvent, with more about the person than anybody asked for.
func event(p person) map[string]any {
	id := record()
	return map[string]any{
		"specversion": "1.0", "id": "e-" + id, "source": source, "type": "uk.nhs.prevention.vaccination.v1", "time": "2026-10-05T12:00:00Z",
		"subject": "Patient/" + p.number, "patientname": p.given + " " + p.family,
		"data": map[string]any{
			"record": id, "status": "completed", "person": p.number, "birthDate": p.birth, "postcode": p.postcode,
			"occurredAt": "2026-10-05", "procedure": []any{"822851000000102"}, "dose": 1, "ethnicity": "A", "practice": "SYN001", "provider": "SYN002",
			"plus": []any{"smi"}, "programme": "flu-65", "lsoa": "", "cohort": "", "personKey": "", "correction": false,
			"patient": map[string]any{"name": []any{p.given, p.family}, "nhsNumber": p.spaced(), p.number: true}, "note": "Dear " + p.given + " " + p.family,
		},
	}
}

func eventRequests(all *people) (list []request) {
	add := func(name string, accepted int, build func(p person) request) {
		r := build(all.plant(name))
		r.name, r.accepted = name, accepted
		if r.path == "" {
			r.path = "/v1/events"
		}
		if r.media == "" {
			r.media = aCloudEvent
		}
		list = append(list, r)
	}
	with := func(p person, value any, path ...any) string { return set(event(p), value, path...) }
	add("event", 1, func(p person) request { return request{body: text(event(p))} })
	add("event with a spaced number", 1, func(p person) request { return request{body: with(p, p.spaced(), "data", "person")} })
	add("event with a dashed number", 1, func(p person) request { return request{body: with(p, p.dashed(), "data", "person")} })
	add("event, corrected", 1, func(p person) request { return request{body: with(p, true, "data", "correction")} })
	add("event, retracted", 1, func(p person) request { return request{body: with(p, "entered-in-error", "data", "status")} })
	add("event, not done", -1, func(p person) request { return request{body: with(p, "not-done", "data", "status")} })
	add("event of no programme", -1, func(p person) request {
		e := event(p)
		delete(e["data"].(map[string]any), "programme")
		return request{body: set(e, []any{"1324681000000101"}, "data", "procedure")}
	})
	add("event with a wrong check digit", 0, func(p person) request { return request{body: with(p, wrong(p.number), "data", "person")} })
	add("event with too many digits", 0, func(p person) request { return request{body: with(p, p.number+"0", "data", "person")} })
	add("event with number and name in person", 0, func(p person) request { return request{body: with(p, p.number+" "+p.family, "data", "person")} })
	add("event in gzip", 1, func(p person) request {
		return request{body: packed(text(event(p))), header: http.Header{"Content-Encoding": {"gzip"}}}
	})
	add("event in broken gzip", 0, func(p person) request {
		return request{body: packed(text(event(p)))[:120] + p.number, header: http.Header{"Content-Encoding": {"gzip"}}}
	})
	add("event said to be gzip", 0, func(p person) request {
		return request{body: text(event(p)), header: http.Header{"Content-Encoding": {"gzip"}}}
	})
	add("event in binary mode", 1, func(p person) request {
		return request{media: "application/json", body: text(event(p)["data"]), header: http.Header{
			"Ce-Specversion": {"1.0"}, "Ce-Id": {"b-1"}, "Ce-Source": {source}, "Ce-Type": {"uk.nhs.prevention.vaccination.v1"}, "Ce-Time": {"2026-10-05T12:00:00Z"},
			"Ce-Subject": {p.number}, "Ce-Patient": {p.family}}}
	})
	for _, attribute := range []string{"Id", "Source", "Type", "Time", "Specversion"} {
		add("binary mode, number in ce-"+attribute, -1, func(p person) request {
			header := http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"b-2"}, "Ce-Source": {source}, "Ce-Type": {"uk.nhs.prevention.vaccination.v1"}, "Ce-Time": {"2026-10-05T12:00:00Z"}}
			header.Set("Ce-"+attribute, p.number)
			return request{media: "application/json", body: text(event(p)["data"]), header: header}
		})
	}
	// Broken around the values.
	for name, breaks := range sorted(map[string]func(p person) string{
		"cut off in the number": func(p person) string { s := text(event(p)); return s[:strings.Index(s, p.number)+8] },
		"cut off behind a name": func(p person) string { s := text(event(p)); return s[:strings.Index(s, p.family)+len(p.family)] },
		"number without quotes": func(p person) string { return strings.ReplaceAll(text(event(p)), `"`+p.number+`"`, p.number) },
		"name without quotes":   func(p person) string { return strings.ReplaceAll(text(event(p)), `"`+p.family+`"`, p.family) },
		"number as key":         func(p person) string { return `{"` + p.number + `":1}` },
		"number as key twice":   func(p person) string { return `{"` + p.number + `":1,"` + p.number + `":2}` },
		"name as key twice":     func(p person) string { return `{"data":{"` + p.family + `":1,"` + p.family + `":2}}` },
		"number alone":          func(p person) string { return p.number },
		"number as text":        func(p person) string { return `"` + p.number + `"` },
		"name alone":            func(p person) string { return p.given + " " + p.family },
		"something behind it":   func(p person) string { return text(event(p)) + p.number },
		"invalid escape":        func(p person) string { return `{"data":{"person":"\x` + p.number + `"}}` },
		"not UTF-8":             func(p person) string { return "{\"data\":{\"person\":\"\xff" + p.number + p.family + "\"}}" },
		"UTF-16":                func(p person) string { return string(utf16(text(event(p)))) },
		"too deep":              func(p person) string { return strings.Repeat(`{"`+p.number+`":`, 50) + "1" + strings.Repeat("}", 50) },
		"too large":             func(p person) string { return with(p, p.number+strings.Repeat(" "+p.family, 200_000), "data", "note") },
		"person is a list":      func(p person) string { return with(p, []any{p.number, p.family}, "data", "person") },
		"person is an object": func(p person) string {
			return with(p, map[string]any{"number": p.number, p.family: p.birth}, "data", "person")
		},
		"data is text":             func(p person) string { return with(p, p.number+p.family+p.postcode, "data") },
		"data_base64":              func(p person) string { return with(p, "eyJhIjoi"+p.number, "data_base64") },
		"XML":                      func(p person) string { return "<patient nhs='" + p.number + "'>" + p.family + "</patient>" },
		"number in full-width":     func(p person) string { return with(p, "９"+p.number[1:], "data", "record") },
		"number by escapes":        func(p person) string { return strings.ReplaceAll(text(event(p)), p.number, `\u0039`+p.number[1:]) },
		"day in a season unlisted": func(p person) string { return with(p, "2019-10-05", "data", "occurredAt") },
		"born after it was done":   func(p person) string { return with(p, "2026-10-06", "data", "birthDate") },
		"no time":                  func(p person) string { return with(p, nil, "time") },
	}) {
		add("event, "+name, -1, func(p person) request { return request{body: breaks(p)} })
	}
	// Several.
	three := func(name string, join func(events ...string) request) {
		a, b, c := all.plant(name+", first"), all.plant(name+", second"), all.plant(name+", third")
		r := join(text(event(a)), set(event(b), wrong(b.number), "data", "person"), text(event(c)))
		r.name, r.path, r.accepted = name, "/v1/events", 2
		list = append(list, r)
	}
	three("batch", func(e ...string) request { return request{media: cloudEvents, body: "[" + strings.Join(e, ",") + "]"} })
	three("NDJSON", func(e ...string) request { return request{media: jsonLines, body: strings.Join(e, "\n")} })
	three("batch in gzip", func(e ...string) request {
		return request{media: cloudEvents, body: packed("[" + strings.Join(e, ",") + "]"), header: http.Header{"Content-Encoding": {"gzip"}}}
	})
	three("NDJSON with a minimal answer", func(e ...string) request {
		return request{media: jsonLines, body: strings.Join(e, "\n"), header: http.Header{"Prefer": {"return=minimal"}}}
	})
	add("batch, cut off", 1, func(p person) request {
		return request{media: cloudEvents, body: "[" + text(event(p)) + `,{"data":{"person":"` + p.number}
	})
	add("batch of numbers and names", 0, func(p person) request {
		return request{media: cloudEvents, body: `["` + p.number + `",` + p.number + `,"` + p.family + `"]`}
	})
	add("NDJSON of rubbish", 1, func(p person) request {
		return request{media: jsonLines, body: p.number + "\n" + p.family + "," + p.postcode + "\n" + text(event(p)) + "\n{" + p.birth}
	})
	add("NDJSON with a long line", 1, func(p person) request {
		return request{media: jsonLines, body: text(event(p)) + "\n" + strings.Repeat(p.number+p.family, 100_000) + "\n"}
	})
	// In wrong places.
	fields := []string{"specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema", "extension"}
	list = append(list, matrix(all, "event", fields, func(p person, field, value string) request {
		return request{path: "/v1/events", media: aCloudEvent, body: with(p, value, field)}
	})...)
	data := []string{"record", "status", "personKey", "personPrevious", "programme", "cohort", "occurredAt", "lsoa", "dose", "ethnicity", "practice", "provider", "correction", "subpotent", "birthDate", "postcode"}
	list = append(list, matrix(all, "event data", data, func(p person, field, value string) request {
		return request{path: "/v1/events", media: aCloudEvent, body: with(p, value, "data", field)}
	})...)
	lists := []string{"plus", "procedure", "product", "disease", "check"}
	list = append(list, matrix(all, "event list", lists, func(p person, field, value string) request {
		return request{path: "/v1/events", media: aCloudEvent, body: with(p, []any{value}, "data", field)}
	})...)
	// With a pseudonym, from a sender who may: then nothing else in it may tell who it is.
	list = append(list, matrix(all, "pseudonym", []string{"record", "personKey", "practice", "provider", "note"}, func(p person, field, value string) request {
		e := event(p)
		d := e["data"].(map[string]any)
		d["person"], d["personKey"] = "0123456789abcdef0123456789abcdef", "t-1"
		return request{path: "/v1/events", media: aCloudEvent, token: tokens["trusted"], body: set(e, value, "data", field)}
	})...)
	return list
}

// immunization is a flu jab in FHIR, with all that such resources say of a person.
func immunization(p person) map[string]any {
	return map[string]any{
		"resourceType": "Immunization", "id": record(), "meta": map[string]any{"lastUpdated": "2026-10-05T12:00:00Z"},
		"text": map[string]any{"status": "generated", "div": "<div>" + p.given + " " + p.family + " " + p.spaced() + "</div>"},
		"contained": []any{
			map[string]any{"resourceType": "Patient", "id": "pat", "birthDate": p.birth,
				"identifier": []any{map[string]any{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": p.number}},
				"name":       []any{map[string]any{"family": p.family, "given": []any{p.given}}},
				"address":    []any{map[string]any{"line": []any{"1 " + p.family + " Street"}, "postalCode": p.postcode}},
				"contact":    []any{map[string]any{"name": map[string]any{"text": p.given + " " + p.family}}}},
			map[string]any{"resourceType": "Practitioner", "id": "doc", "name": []any{map[string]any{"family": p.family}}},
		},
		"extension": []any{map[string]any{"url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure",
			"valueCodeableConcept": map[string]any{"coding": []any{map[string]any{"system": "http://snomed.info/sct", "code": "822851000000102", "display": p.family}}}}},
		"identifier": []any{map[string]any{"system": source, "value": record()}},
		"status":     "completed",
		"vaccineCode": map[string]any{"coding": []any{map[string]any{"system": "http://snomed.info/sct", "code": "39566211000001103"}},
			"text": p.given},
		"patient": map[string]any{"reference": "#pat", "display": p.given + " " + p.family}, "occurrenceDateTime": "2026-10-05T10:00:00+01:00",
		"recorded": "2026-10-05", "primarySource": true, "lotNumber": p.family, "location": map[string]any{"display": p.postcode},
		"performer":       []any{map[string]any{"actor": map[string]any{"type": "Organization", "identifier": map[string]any{"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "SYN01"}}}},
		"note":            []any{map[string]any{"text": "Seen " + p.given + ", born " + p.birth + ", " + p.number}},
		"protocolApplied": []any{map[string]any{"doseNumberPositiveInt": 1, "targetDisease": []any{map[string]any{"coding": []any{map[string]any{"system": "http://snomed.info/sct", "code": "6142004"}}}}}},
	}
}

func resourceRequests(all *people) (list []request) {
	add := func(name string, accepted int, build func(p person) request) {
		r := build(all.plant(name))
		r.name, r.accepted, r.path = name, accepted, "/v1/fhir"+r.path
		if r.media == "" {
			r.media = aResource
		}
		list = append(list, r)
	}
	with := func(p person, value any, path ...any) string { return set(immunization(p), value, path...) }
	number := []any{"contained", 0, "identifier", 0, "value"}
	add("resource", 1, func(p person) request { return request{body: text(immunization(p))} })
	add("resource with a spaced number", 1, func(p person) request { return request{body: with(p, p.spaced(), number...)} })
	add("resource with a wrong check digit", 0, func(p person) request { return request{body: with(p, wrong(p.number), number...)} })
	add("resource, retracted", 1, func(p person) request { return request{body: with(p, "entered-in-error", "status")} })
	add("resource, not done", -1, func(p person) request { return request{body: with(p, "not-done", "status")} })
	add("resource in gzip", 1, func(p person) request {
		return request{body: packed(text(immunization(p))), header: http.Header{"Content-Encoding": {"gzip"}}}
	})
	add("blood pressure", -1, func(p person) request {
		i := immunization(p)
		return request{body: text(map[string]any{"resourceType": "Observation", "id": record(), "meta": i["meta"], "identifier": i["identifier"], "contained": i["contained"],
			"status": "final", "subject": i["patient"], "effectiveDateTime": "2026-10-05", "code": map[string]any{"text": p.family, "coding": []any{map[string]any{"system": "http://loinc.org", "code": "85354-9"}}},
			"note": i["note"], "component": []any{
				map[string]any{"code": map[string]any{"coding": []any{map[string]any{"system": "http://loinc.org", "code": "8480-6"}}}, "valueQuantity": map[string]any{"value": 120}},
				map[string]any{"code": map[string]any{"coding": []any{map[string]any{"system": "http://loinc.org", "code": "8462-4"}}}, "valueQuantity": map[string]any{"value": 80}}}})}
	})
	bundle := func(p person, kind string) string {
		i := immunization(p)
		patient := i["contained"].([]any)[0]
		delete(i, "contained")
		i["patient"] = map[string]any{"reference": "urn:uuid:" + p.given, "display": p.family}
		return text(map[string]any{"resourceType": "Bundle", "type": kind, "timestamp": "2026-10-05T12:00:00Z", "entry": []any{
			map[string]any{"fullUrl": "urn:uuid:" + p.given, "resource": patient}, map[string]any{"fullUrl": "urn:uuid:" + p.family, "resource": i}}})
	}
	add("bundle", 1, func(p person) request { return request{body: bundle(p, "collection")} })
	add("transaction", 1, func(p person) request { return request{body: bundle(p, "transaction")} })
	add("message", -1, func(p person) request { return request{body: bundle(p, p.family)} })
	add("bundle, number as reference", -1, func(p person) request {
		return request{body: strings.ReplaceAll(bundle(p, "collection"), "urn:uuid:"+p.given, "Patient/"+p.number)}
	})
	add("bundle, dangling", 0, func(p person) request {
		return request{body: strings.Replace(bundle(p, "collection"), `"fullUrl":"urn:uuid:`+p.given, `"fullUrl":"urn:uuid:other`, 1)}
	})
	three := func(name string, join func(resources ...string) request) {
		a, b, c := all.plant(name+", first"), all.plant(name+", second"), all.plant(name+", third")
		r := join(text(immunization(a)), set(immunization(b), wrong(b.number), number...), text(immunization(c)))
		r.name, r.path, r.accepted = name, "/v1/fhir", 2
		list = append(list, r)
	}
	three("resources, one a line", func(all ...string) request { return request{media: resources, body: strings.Join(all, "\n")} })
	three("resources in gzip", func(all ...string) request {
		return request{media: resources, body: packed(strings.Join(all, "\n")), header: http.Header{"Content-Encoding": {"gzip"}}}
	})
	for name, breaks := range sorted(map[string]func(p person) string{
		"cut off in the number": func(p person) string { s := text(immunization(p)); return s[:strings.Index(s, p.number)+8] },
		"number without quotes": func(p person) string { return strings.ReplaceAll(text(immunization(p)), `"`+p.number+`"`, p.number) },
		"name without quotes":   func(p person) string { return strings.ReplaceAll(text(immunization(p)), `"`+p.family+`"`, p.family) },
		"number as key":         func(p person) string { return with(p, 1, p.number) },
		"key twice": func(p person) string {
			return `{"resourceType":"Immunization","` + p.family + `":1,"` + p.family + `":1}`
		},
		"number alone": func(p person) string { return p.number },
		"too deep": func(p person) string {
			return `{"resourceType":"Immunization","` + p.family + `":` + strings.Repeat(`[`, 5000) + p.number
		},
		"another type": func(p person) string { return with(p, p.family, "resourceType") },
		"before R4":    func(p person) string { return with(p, true, "wasNotGiven") },
		"two patients": func(p person) string {
			i := immunization(p)
			return set(i, []any{i["contained"].([]any)[0], i["contained"].([]any)[0]}, "contained")
		},
		"number is a number": func(p person) string { return with(p, json.Number(p.number), number...) },
		"modifier extension": func(p person) string {
			return with(p, []any{map[string]any{"url": "urn:" + p.number, "valueString": p.family}}, "modifierExtension")
		},
		"implicit rules": func(p person) string { return with(p, "https://"+p.number+".example", "implicitRules") },
		"too large":      func(p person) string { return with(p, strings.Repeat(p.number+p.family, 100_000), "lotNumber") },
		"postcode unknown": func(p person) string {
			return with(p, p.postcode+" "+p.family, "contained", 0, "address", 0, "postalCode")
		},
		"reference elsewhere": func(p person) string { return with(p, "https://pds.example/Patient/"+p.number, "patient", "reference") },
	}) {
		add("resource, "+name, -1, func(p person) request { return request{body: breaks(p)} })
	}
	add("resources of rubbish", 1, func(p person) request {
		return request{media: resources, body: p.number + "\n" + p.family + "\n" + text(immunization(p)) + "\n{" + p.birth}
	})
	add("resource, number in the query", -1, func(p person) request { return request{path: "?extracted=" + p.number, body: text(immunization(p))} })
	paths := map[string][]any{"id": {"id"}, "status": {"status"}, "lastUpdated": {"meta", "lastUpdated"}, "profile": {"meta", "profile"}, "identifier.system": {"identifier", 0, "system"},
		"identifier.value": {"identifier", 0, "value"}, "vaccineCode.code": {"vaccineCode", "coding", 0, "code"}, "vaccineCode.system": {"vaccineCode", "coding", 0, "system"},
		"extension.url": {"extension", 0, "url"}, "procedure.code": {"extension", 0, "valueCodeableConcept", "coding", 0, "code"}, "patient.reference": {"patient", "reference"},
		"occurrence": {"occurrenceDateTime"}, "recorded": {"recorded"}, "primarySource": {"primarySource"}, "performer": {"performer", 0, "actor", "identifier", "value"},
		"dose": {"protocolApplied", 0, "doseNumberPositiveInt"}, "disease": {"protocolApplied", 0, "targetDisease", 0, "coding", 0, "code"},
		"patient.identifier.system": {"contained", 0, "identifier", 0, "system"}, "birthDate": {"contained", 0, "birthDate"}, "contained.id": {"contained", 0, "id"}, "isSubpotent": {"isSubpotent"}}
	return append(list, matrix(all, "resource", slices.Sorted(maps.Keys(paths)), func(p person, field, value string) request {
		return request{path: "/v1/fhir", media: aResource, body: with(p, value, paths[field]...)}
	})...)
}

var ownColumns = strings.Fields("nhs_number birth_date postcode record occurred_at time source revision status programme procedure_code dose lsoa ethnicity practice provider plus")

// own is a row of our own layout.
func own(p person) []string {
	return []string{p.number, p.birth, p.postcode, record(), "2026-10-05", "2026-10-05T12:00:00Z", source, "new", "completed", "flu-65", "822851000000102", "1", "", "A", "SYN001", "SYN002", ""}
}

var batchColumns = strings.Fields(`NHS_NUMBER PERSON_FORENAME PERSON_SURNAME PERSON_DOB PERSON_GENDER_CODE PERSON_POSTCODE DATE_AND_TIME
	SITE_CODE SITE_CODE_TYPE_URI UNIQUE_ID UNIQUE_ID_URI ACTION_FLAG PERFORMING_PROFESSIONAL_FORENAME
	PERFORMING_PROFESSIONAL_SURNAME RECORDED_DATE PRIMARY_SOURCE VACCINATION_PROCEDURE_CODE VACCINATION_PROCEDURE_TERM
	DOSE_SEQUENCE VACCINE_PRODUCT_CODE VACCINE_PRODUCT_TERM VACCINE_MANUFACTURER BATCH_NUMBER EXPIRY_DATE
	SITE_OF_VACCINATION_CODE SITE_OF_VACCINATION_TERM ROUTE_OF_VACCINATION_CODE ROUTE_OF_VACCINATION_TERM DOSE_AMOUNT
	DOSE_UNIT_CODE DOSE_UNIT_TERM INDICATION_CODE LOCATION_CODE LOCATION_CODE_TYPE_URI`)

// batch is a row of the NHS's layout.
func batch(p person) []string {
	return []string{p.number, p.given, p.family, p.born(), "2", p.postcode, "20261005T10000001", "SYN01", "https://fhir.nhs.uk/Id/ods-organization-code", record(), source, "new",
		p.given, p.family, "20261005", "TRUE", "822851000000102", "Flu jab of " + p.family, "1", "39566211000001103", "A vaccine", "A Maker", "LOT" + p.family, "20270702",
		"368208006", "Left upper arm", "78421000", "Intramuscular", "0.5", "258773002", "Milliliter", "443684005", p.postcode, "https://fhir.nhs.uk/Id/ods-organization-code"}
}

func file(separator string, rows ...[]string) string {
	var lines []string
	for _, row := range rows {
		lines = append(lines, strings.Join(row, separator))
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

func fileRequests(all *people) (list []request) {
	add := func(name string, accepted int, build func(p person) request) {
		r := build(all.plant(name))
		r.name, r.accepted, r.path = name, accepted, "/v1/csv"+r.path
		if r.media == "" {
			r.media = aFile
		}
		list = append(list, r)
	}
	for _, layout := range []struct {
		name, separator string
		columns         []string
		row             func(person) []string
		words, action   int // columns: one that takes any words, and what to do with the record
	}{
		{"own file", ",", ownColumns, own, 3, 7}, {"NHS batch", "|", batchColumns, batch, 2, 11},
	} {
		name, sep, columns, row, words := layout.name, layout.separator, layout.columns, layout.row, layout.words
		with := func(p person, at int, value string) []string {
			cells := row(p)
			cells[at] = value
			return cells
		}
		whole := func(rows ...[]string) string { return file(sep, append([][]string{columns}, rows...)...) }
		add(name, 1, func(p person) request { return request{body: whole(row(p))} })
		add(name+" with a spaced number", 1, func(p person) request { return request{body: whole(with(p, 0, p.spaced()))} })
		add(name+" in gzip", 1, func(p person) request {
			return request{body: packed(whole(row(p))), header: http.Header{"Content-Encoding": {"gzip"}}}
		})
		add(name+" in Windows-1252", -1, func(p person) request {
			return request{media: "text/csv; charset=windows-1252", body: whole(with(p, words, p.family+"\xe9"))}
		})
		add(name+", update", 1, func(p person) request { return request{body: whole(with(p, layout.action, "update"))} })
		add(name+", delete", 1, func(p person) request { return request{body: whole(with(p, layout.action, "delete"))} })
		add(name+", wrong check digit", 0, func(p person) request { return request{body: whole(with(p, 0, wrong(p.number)))} })
		add(name+", number as a spreadsheet writes it", 0, func(p person) request { return request{body: whole(with(p, 0, p.number+".0"))} })
		add(name+", good and bad rows", 1, func(p person) request {
			return request{body: whole(with(p, 0, wrong(p.number)), row(p), []string{p.number, p.family}, append(row(p), p.number))}
		})
		add(name+", shifted by a column", -1, func(p person) request {
			cells := row(p)
			return request{body: whole(append([]string{p.family}, cells[:len(cells)-1]...))}
		})
		add(name+", shifted back", -1, func(p person) request { cells := row(p); return request{body: whole(append(cells[1:], p.number))} })
		add(name+" without header", 0, func(p person) request { return request{body: file(sep, row(p), row(p))} })
		add(name+", values as header", 0, func(p person) request {
			return request{body: file(sep, append(append([]string{}, columns...), p.number, p.family), row(p))}
		})
		add(name+", header twice", 0, func(p person) request {
			return request{body: file(sep, append([]string{p.number, p.number}, columns...), row(p))}
		})
		add(name+", open quote", -1, func(p person) request { return request{body: whole(row(p), with(p, words, `"`+p.family))} })
		add(name+", quote within", -1, func(p person) request { return request{body: whole(with(p, words, p.family+`"`+p.number))} })
		add(name+", NUL", -1, func(p person) request { return request{body: whole(with(p, words, p.family+"\x00"+p.number))} })
		add(name+", not UTF-8", -1, func(p person) request { return request{body: whole(with(p, words, "\xff\xfe"+p.family+p.number))} })
		add(name+", long row", -1, func(p person) request {
			return request{body: whole(with(p, words, strings.Repeat(p.number+p.family, 10_000)), row(p))}
		})
		add(name+", cut off", -1, func(p person) request { s := whole(row(p)); return request{body: s[:len(s)-40]} })
		add(name+", wrong layout", 0, func(p person) request {
			return request{path: map[string]string{"own file": "?layout=nhs-batch", "NHS batch": "?layout=own"}[name], body: whole(row(p))}
		})
		for _, parameter := range []string{"layout", "extracted", "filename", "other"} {
			add(name+", values in the query "+parameter, -1, func(p person) request {
				return request{path: "?" + parameter + "=" + p.number + "-" + p.family, body: whole(row(p))}
			})
		}
		add(name+", values in the file's name", -1, func(p person) request {
			return request{body: whole(row(p)), header: http.Header{"Content-Disposition": {`attachment; filename="` + p.number + " " + p.family + ".csv\""}}}
		})
		add(name+", number as charset", 0, func(p person) request { return request{media: "text/csv; charset=" + p.number, body: whole(row(p))} })
		list = append(list, matrix(all, name, columns, func(p person, column, value string) request {
			for i := range columns {
				if columns[i] == column {
					return request{path: "/v1/csv", media: aFile, body: whole(with(p, i, value))}
				}
			}
			panic(column)
		})...)
	}
	return list
}

// otherRequests are those that are wrong as requests.
func otherRequests(all *people) (list []request) {
	add := func(name string, build func(p person) request) {
		r := build(all.plant(name))
		r.name, r.accepted = name, -1
		list = append(list, r)
	}
	for door, about := range sorted(map[string]struct {
		media string
		body  func(p person) string
	}{
		"/v1/events": {aCloudEvent, func(p person) string { return text(event(p)) }},
		"/v1/fhir":   {aResource, func(p person) string { return text(immunization(p)) }},
		"/v1/csv":    {aFile, func(p person) string { return file(",", ownColumns, own(p)) }},
	}) {
		media, body := about.media, about.body
		add(door+" with a wrong token", func(p person) request { return request{path: door, media: media, body: body(p), token: "wrong"} })
		add(door+" with a number as token", func(p person) request {
			return request{path: door, media: media, body: body(p), token: p.number + p.family}
		})
		add(door+" from a sender without right", func(p person) request {
			return request{path: door, media: media, body: body(p), token: tokens["pharmacy"]}
		})
		add(door+" beyond the limit", func(p person) request {
			return request{path: door, media: media, body: strings.Repeat(body(p), 40), token: tokens["small"]}
		})
		add(door+" of a wrong type", func(p person) request {
			return request{path: door, media: "application/" + p.number + p.family, body: body(p)}
		})
		add(door+" of a broken type", func(p person) request { return request{path: door, media: p.family + "; " + p.number, body: body(p)} })
		add(door+" in an unknown encoding", func(p person) request {
			return request{path: door, media: media, body: body(p), header: http.Header{"Content-Encoding": {p.number}}}
		})
		add(door+" by another method", func(p person) request {
			return request{method: http.MethodPut, path: door + "?q=" + p.number, media: media, body: body(p)}
		})
		add(door+" below its path", func(p person) request {
			return request{path: door + "/" + p.number + "/" + p.family, media: media, body: body(p)}
		})
		add(door+" with a query", func(p person) request {
			return request{path: door + "?nhs=" + p.number + "&name=" + p.family + "&" + p.compact(), media: media, body: body(p)}
		})
		for _, name := range []string{"X-Request-Id", "Traceparent", "User-Agent", "Cookie", "Referer", "X-Forwarded-For", "Origin", "Prefer", "Accept", "Gapwatch-Request", "Gapwatch-Sender", "Nats-Msg-Id", "Expect-Ct", "If-Match"} {
			add(door+" with values in "+name, func(p person) request {
				return request{path: door, media: media, body: body(p), header: http.Header{name: {p.number + " " + p.family}}}
			})
		}
		add(door+" with a header too long", func(p person) request {
			return request{path: door, media: media, body: body(p), header: http.Header{"X-Long": {strings.Repeat(p.number+p.family, 2000)}}}
		})
		add(door+" half sent", func(p person) request {
			return request{raw: "POST " + door + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + tokens["gp"] + "\r\nContent-Type: " + media + "\r\nContent-Length: 100000\r\n\r\n" + body(p)}
		})
		add(door+" in bad chunks", func(p person) request {
			return request{raw: "POST " + door + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + tokens["gp"] + "\r\nContent-Type: " + media + "\r\nTransfer-Encoding: chunked\r\n\r\n" + p.number + "\r\n" + body(p)}
		})
	}
	add("rejections after a number", func(p person) request {
		return request{method: http.MethodGet, path: "/v1/rejections?after=" + p.number + "&limit=" + p.family}
	})
	add("rejections after a place beyond", func(p person) request {
		return request{method: http.MethodGet, path: "/v1/rejections?after=" + p.number}
	})
	for name, line := range sorted(map[string]func(p person) string{
		"no HTTP":          func(p person) string { return p.number + " " + p.family + "\r\n\r\n" },
		"number as method": func(p person) string { return p.number + " /v1/events HTTP/1.1\r\nHost: a\r\n\r\n" },
		"name as protocol": func(p person) string { return "GET /v1/events " + p.family + "/1.1\r\nHost: a\r\n\r\n" },
		"number as host":   func(p person) string { return "GET /v1/events HTTP/1.1\r\nHost: " + p.number + "\x01\r\n\r\n" },
		"broken header":    func(p person) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + p.number + " " + p.family + "\r\n\r\n" },
		"number as length": func(p person) string {
			return "POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: " + p.number + "x\r\n\r\n"
		},
		"number as an encoding": func(p person) string {
			return "POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: " + p.number + "\r\n\r\n"
		},
		"broken escape": func(p person) string { return "GET /v1/%" + p.number + p.family + "%zz HTTP/1.1\r\nHost: a\r\n\r\n" },
		"name in TLS":   func(p person) string { return "\x16\x03\x01\x02\x00" + p.family + p.number },
	}) {
		add("connection, "+name, func(p person) request { return request{raw: line(p)} })
	}
	return list
}
