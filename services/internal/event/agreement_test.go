package event_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gapwatch/services/internal/event"
)

const schemaFolder = "../../../schemas/events"

// contract is the two published schemas.
type contract []*jsonschema.Schema

func loadContract(t testing.TB) contract {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	var c contract
	for _, name := range []string{"vaccination.v1.schema.json", "health-check.v1.schema.json"} {
		schema, err := compiler.Compile(filepath.Join(schemaFolder, name))
		if err != nil {
			t.Fatal(err)
		}
		c = append(c, schema)
	}
	return c
}

// accepts tells whether one of the schemas does, and whether the payload is JSON at all.
func (c contract) accepts(payload []byte) (accepted, isJSON bool) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return false, false
	}
	for _, schema := range c {
		if schema.Validate(value) == nil {
			return true, true
		}
	}
	return false, true
}

// beyondSchema is everything that the decoder refuses and a JSON Schema cannot: the only disagreements there may be.
// A reason that a schema can see in part is listed with the rules it cannot see.
var beyondSchema = map[event.Reason][]string{
	event.TooLarge:         nil,                                     // bytes
	event.NotUTF8:          nil,                                     // below JSON
	event.NotJSON:          nil,                                     // below JSON
	event.DuplicateKey:     nil,                                     // gone once parsed
	event.TooDeep:          nil,                                     // no keyword for it
	event.NHSNumber:        nil,                                     // modulus 11
	event.SubjectMismatch:  nil,                                     // subject and programmes.yaml
	event.UnknownProgramme: nil,                                     // programmes.yaml
	event.NoSeason:         nil,                                     // programmes.yaml
	event.BadDose:          {"must be written without an exponent"}, // 2e0 and 2 are one number to a schema
	event.BadTime:          {"must not be before 1900", "must be at most 5 minutes ahead of now"},
	event.BadDay:           {"must not be before 1900", "must not be after today in Europe/London"},
	event.NotPseudonym:     {"must be another pseudonym than data.person"},
}

func isBeyondSchema(r *event.Rejection) bool {
	rules, ok := beyondSchema[r.Reason]
	return ok && (rules == nil || slices.Contains(rules, r.Detail))
}

// agree fails the test unless decoder and schemas say the same about a payload.
func agree(t testing.TB, d *event.Decoder, c contract, payload []byte) *event.Rejection {
	t.Helper()
	_, rejection := d.Decode(subjectOf(payload), payload)
	accepted, isJSON := c.accepts(payload)
	switch {
	case rejection == nil && !accepted:
		t.Fatalf("the decoder accepts what the schemas refuse:\n%s", payload)
	case rejection != nil && accepted && !isBeyondSchema(rejection):
		t.Fatalf("the decoder refuses (%v) what the schemas accept:\n%s", rejection, payload)
	case rejection == nil && !isJSON:
		t.Fatalf("the decoder accepts what is not JSON:\n%s", payload)
	}
	if rejection != nil {
		wellFormed(t, rejection, payload)
	}
	return rejection
}

// places is every field that a rejection may name: none of them can come out of a message.
var places = []string{
	"payload", "subject", "extra field",
	"specversion", "id", "source", "type", "time", "datacontenttype", "data_base64", "data",
	"data.record", "data.status", "data.person", "data.personKey", "data.personPrevious", "data.programme",
	"data.occurredAt", "data.lsoa", "data.dose", "data.cohort", "data.ethnicity", "data.practice", "data.provider",
	"data.plus", "data.correction",
}

// wellFormed checks what holds for every rejection.
func wellFormed(t testing.TB, r *event.Rejection, payload []byte) {
	t.Helper()
	if !slices.Contains(event.Reasons, r.Reason) || !slices.Contains(places, r.Field) || r.Detail == "" {
		t.Fatalf("rejection without a known reason, a known field and a rule: %+v", r)
	}
	if r.Identifying && r.Payload {
		t.Fatalf("keeps the payload of an identifying message: %+v", r)
	}
	if event.HoldsNHSNumber(payload) && !r.Identifying {
		t.Fatalf("holds what looks like an NHS number but is not marked: %+v\n%s", r, payload)
	}
}

func TestExamplesAreAccepted(t *testing.T) {
	d, c := newDecoder(t), loadContract(t)
	files, err := filepath.Glob(filepath.Join(schemaFolder, "examples/valid/*.json"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		payload := read(t, file)
		if rejection := agree(t, d, c, payload); rejection != nil {
			t.Errorf("%s: %v", filepath.Base(file), rejection)
		}
	}
}

func TestExamplesAreRejected(t *testing.T) {
	d, c := newDecoder(t), loadContract(t)
	folder := filepath.Join(schemaFolder, "examples/invalid")
	var expected map[string]struct {
		Reason, Field, Subject, Schema string
		Identifying                    bool
	}
	if err := json.Unmarshal(read(t, filepath.Join(folder, "expectations.json")), &expected); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) != len(expected)+1 {
		t.Fatalf("%d files for %d expectations, %v", len(files), len(expected), err)
	}
	seen := map[event.Reason]bool{event.TooLarge: true} // an example of a megabyte helps nobody
	for name, want := range expected {
		payload := read(t, filepath.Join(folder, name))
		subject := want.Subject
		if subject == "" {
			subject = subjectOf(payload)
		}
		_, got := d.Decode(subject, payload)
		if got == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wellFormed(t, got, payload)
		if string(got.Reason) != want.Reason || got.Field != want.Field || got.Identifying != want.Identifying {
			t.Errorf("%s: got %+v, want %+v", name, *got, want)
		}
		seen[got.Reason] = true
		accepted, _ := c.accepts(payload)
		if cannotSay := want.Schema == "cannot say"; cannotSay != isBeyondSchema(got) && accepted || accepted && !cannotSay {
			t.Errorf("%s: the schemas accept it: %v; the expectation is %q", name, accepted, want.Schema)
		}
	}
	for _, reason := range event.Reasons {
		if !seen[reason] {
			t.Errorf("no example of %q", reason)
		}
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// values are what the mutations put in place of what was there: borders, wrong types, wrong cases, other alphabets.
var values = []any{
	nil, true, false, 0, 1, 1.0, 1.5, -1, 9, 10, 1e300, "", " ", "1", "0", "null", []any{}, object{}, []any{nil}, object{"a": 1},
	json.Number("1.0"), json.Number("2e0"), json.Number("0.2E+1"), json.Number("1e400"), json.Number("2.00"), json.Number("9.0"), json.Number("10.0"), json.Number("-0"), json.Number("0.9"),
	"1.0", "1.1", "application/json", "Application/JSON", "application/json; charset=utf-8",
	event.TypeVaccination, event.TypeHealthCheck, strings.ToUpper(event.TypeVaccination), event.TypeVaccination + "1",
	"urn:a:b", "urn:", "http://", "http:", "https://[::1]/x", "https://[::1%25eth0]/x", "https://::1/x", "https://[1.2.3.4]/", "https://a b/", "https://é.example/", "https://x/%zz", "https://x/%C3%A9",
	"https://user:secret@x:70000/", "https://x:port/", "HTTP://X", "1x:y", "mailto:a@b", "a:b#c?d", "//x/y", "x/y", "file:///C:/x", "https://x/\\y", "https://x/{y}", "https://x/|", "a:[", "https://[v1.a:b]/", "a://[::1", "a://b]",
	"2026-11-20T09:30:00Z", "2026-11-20t09:30:00z", "2026-11-20 09:30:00Z", "2026-11-20T09:30:00", "2026-11-20T09:30Z", "2026-11-20T24:00:00Z",
	"2026-11-20T09:60:00Z", "2026-11-20T09:30:60Z", "2016-12-31T23:59:60Z", "2026-11-20T09:30:00.Z", "2026-11-20T09:30:00,5Z", "2026-11-20T09:30:00.123456789Z",
	"2026-11-20T09:30:00.1234567891Z", "2026-11-20T09:30:00+01:00", "2026-11-20T09:30:00+0100", "2026-11-20T09:30:00+24:00", "2026-11-20T09:30:00-23:59", "2026-11-20T09:30:00-00:00",
	"2026-11-20T9:30:00Z", "2026-11-20T09:30:00ZZ", "2026-11-20T+9:30:00Z", "2026-1-20", "2026-11-31", "2025-02-29", "2024-02-29", "2100-02-29", "2000-02-29", "2026-13-01", "2026-00-10", "2026-10-00",
	"26-10-03", "20261003", "03/10/2026", "2026-10-03T", "1899-12-31", "1900-01-01", "1899-12-31T23:59:59.999999999Z", "1900-01-01T00:00:00Z", "1900-01-01T00:00:00+00:01", "0000-01-01", "0000-01-01T00:00:00Z", "9999-12-31", "9999-12-31T23:59:59Z", "-2026-10-03", "+2026-10-03",
	"2026-11-22", "2026-11-23", "2026-11-22T12:05:00Z", "2026-11-22T12:05:00.000001Z", "2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z", "2026-11-23T00:30:00+01:00", "٢٠٢٦-١٠-٠٣",
	"completed", "Completed", "not-done", "not_done", "entered-in-error", "entered-in-error ",
	"9b74c9897bac770ffc029102a200c5de", "9B74C9897BAC770FFC029102A200C5DE", "9b74c9897bac770ffc029102a200c5d", "9b74c9897bac770ffc029102a200c5dee", "9b74c9897bac770ffc029102a200c5dg", "00000000000000000000000000000000",
	"9434765919", "943 476 5919", "943-476-5919", "9434765918", "94347659190", "９４３４７６５９１９", 9434765919,
	"flu-65", "covid-autumn", "mmr-2", "nhs-health-check", "bp-check", "Flu-65", "flu_65", "-flu", "", strings.Repeat("a", 64), strings.Repeat("a", 65),
	"E01000001", "W01000001", "S01000001", "N01000001", "X01000001", "e01000001", "E0100001", "E010000011", "J01000001", "E0100000O", "E01000001 ", "E0100000１", "95AA01S1",
	"A", "S", "Z", "I", "O", "Q", "T", "a", "AA", "99",
	"2025-26", "2024-25", "1999-00", "rolling", "2025/26", "A81001", "a81001", "A8", "A81", "A81001A81001", "A81001A81001A", "A81 001", "Ａ81001",
	[]any{"smi"}, []any{"smi", "ld"}, []any{"smi", "smi"}, []any{"SMI"}, []any{""}, []any{"a,b"}, []any{"a", []any{"b"}}, []any{1}, []any{"-a"}, []any{strings.Repeat("a", 32)}, []any{strings.Repeat("a", 33)},
	many("g", 16), many("g", 17), slices.Repeat([]any{"smi"}, 17), []any{object{"a": "b"}},
	strings.Repeat("x", 128), strings.Repeat("x", 129), strings.Repeat("é", 128), "urn:" + strings.Repeat("x", 251), "urn:" + strings.Repeat("x", 252),
	"\x00", "\n", "a\n", "a\nb", "\ta", "a ", " a", "a b", "\u007f", "~", "é", "e\u0301", "\u200b", "\ufeff", "\u2028", "𝟿", "👩‍👩‍👧", "\ufffd", "<script>", "' OR 1=1 --", "\\", "\"", "a.b_c-d", ".a", "_a",
}

func many(prefix string, n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = prefix + strings.Repeat("x", i)
	}
	return list
}

// TestDecoderAgreesWithSchemas changes valid events, one thing at a time at every place and then many at once, and asks
// both. The seed is fixed: a failure can be seen again.
func TestDecoderAgreesWithSchemas(t *testing.T) {
	d, c := newDecoder(t), loadContract(t)
	files, err := filepath.Glob(filepath.Join(schemaFolder, "examples/valid/*.json"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[event.Reason]int{}
	rules := map[string]bool{}
	count, accepted := 0, 0
	try := func(payload []byte) {
		count++
		if rejection := agree(t, d, c, payload); rejection != nil {
			seen[rejection.Reason]++
			rules[rejection.Detail] = true
		} else {
			accepted++
		}
	}
	names := []string{"lsoa", "LSOA", "Person", "cohort", "dose", "plus", "correction", "personPrevious", "extra", "data_base64", "time ", "é"}
	for _, name := range []string{"vaccination", "vaccination-second-dose", "health-check-key-change"} {
		text := string(read(t, filepath.Join(schemaFolder, "examples/valid", name+".json")))
		base := parsed(t, text)
		for _, inData := range []bool{false, true} {
			for _, key := range append(keys(base, inData), names...) {
				for _, value := range values {
					o := parsed(t, text)
					place(o, inData)[key] = value
					try(written(t, o))
				}
				o := parsed(t, text)
				delete(place(o, inData), key)
				try(written(t, o))
			}
		}
	}
	random := rand.New(rand.NewPCG(2, 65))
	for range 20_000 {
		text := string(read(t, files[random.IntN(len(files))]))
		o := parsed(t, text)
		for range 1 + random.IntN(4) {
			at := place(o, random.IntN(4) > 0)
			all := append(keys(o, random.IntN(4) > 0), names...)
			key := all[random.IntN(len(all))]
			if random.IntN(6) == 0 {
				delete(at, key)
			} else {
				at[key] = values[random.IntN(len(values))]
			}
		}
		payload := written(t, o)
		for range random.IntN(3) * random.IntN(3) { // now and then break the text itself
			i := random.IntN(len(payload))
			switch random.IntN(3) {
			case 0:
				payload = slices.Delete(payload, i, i+1)
			case 1:
				const ink = "{}[]\",:0e-+.\\utn \t\xff"
				payload[i] = ink[random.IntN(len(ink))]
			default:
				payload = slices.Insert(payload, i, payload[random.IntN(len(payload))])
			}
		}
		try(payload)
	}
	t.Logf("%d mutations, %d accepted; refused by reason: %v", count, accepted, seen)
	if len(rules) > 50 {
		t.Errorf("%d different rules: some must hold values out of the messages", len(rules))
	}
	if accepted < count/20 {
		t.Errorf("only %d of %d mutations are accepted: the corpus has lost its aim", accepted, count)
	}
	for _, reason := range event.Reasons {
		switch reason {
		case event.TooLarge, event.TooDeep, event.SubjectMismatch: // not what these mutations make
		default:
			if seen[reason] == 0 {
				t.Errorf("no mutation led to %q", reason)
			}
		}
	}
}

func place(o object, inData bool) object {
	if data, ok := o["data"].(object); ok && inData {
		return data
	}
	return o
}

func keys(o object, inData bool) []string {
	var all []string
	for key := range place(o, inData) {
		all = append(all, key)
	}
	slices.Sort(all)
	return all
}

func FuzzDecode(f *testing.F) {
	for _, kind := range []string{"valid", "invalid"} {
		files, err := filepath.Glob(filepath.Join(schemaFolder, "examples", kind, "*.json"))
		if err != nil || len(files) == 0 {
			f.Fatal("no examples")
		}
		for _, file := range files {
			f.Add(read(f, file))
		}
	}
	d, c := newDecoder(f), loadContract(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		if agree(t, d, c, payload) != nil {
			return
		}
		// What is accepted comes back the same when it is written and read again.
		first := mustDecode(t, d, payload)
		second := mustDecode(t, d, event.Encode(&first))
		if !same(first, second) {
			t.Fatalf("%+v\n%+v", first, second)
		}
	})
}

func same(a, b event.Event) bool {
	return reflect.DeepEqual(a, b)
}
