package event_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"

	"gapwatch/services/internal/event"
)

func TestHoldsNHSNumber(t *testing.T) {
	for _, text := range []string{
		"9434765919", "943 476 5919", "943-476-5919", "943  476 - 5919", "943\t476\t5919",
		"4010232137", "0000000000", // passes the check, whatever it is
		"patient 9434765919.", "nhs9434765919", "9434765919_1", "x9434765919x", `{"n":9434765919}`, `{"n":"943 476 5919"}`, "-9434765919", "9434765919.0",
		"https://gp.example/patients/9434765919/flu", "a9434765919", "ab 943 476 5919 c", "1 943 476 5919", "943 476 5919 1", "020 943 476 5919",
		`\u0039434765919`, `943\u0020476\u00205919`, `94\t943\t476\t5919`, `{\"n\":\"9434765919\"}`, `\n9434765919`, `\\9434765919`,
		`C:\9434765919`, `\x9434765919`, "943+476+5919", "943%20476%205919", "943%2D476%2d5919", "%39434765919", "50%9434765919", "https://x/?n=943%20476+5919",
		"9\x004\x003\x004\x007\x006\x005\x009\x001\x009\x00", "\xff\xfe9\x004\x003\x00 \x004\x007\x006\x00-\x005\x009\x001\x009\x00", "\xfe\xff\x009\x004\x003\x004\x007\x006\x005\x009\x001\x009",
		"９４３４７６５９１９", "943\u00a0476\u00a05919", "943\u2011476\u20115919", "943\u2013476\u22125919", "943\u200b4765919", "٩٤٣٤٧٦٥٩١٩", "é9434765919é",
		strings.Repeat("x", 1000) + " 9434765919", "9434765919" + strings.Repeat(" ", 1000), strings.Repeat("1 ", 500) + "943 476 5919",
		strings.Repeat("7", 40) + " 9434765919",
	} {
		for shift := range 12 { // wherever in the text it stands
			padded := strings.Repeat(".", shift) + text
			if !event.HoldsNHSNumber([]byte(padded)) {
				t.Errorf("not found in %q", padded)
			}
		}
	}
	for _, text := range []string{
		"", "9434765918", "943476591", "94347659190", "19434765919", "943 476 591", "943 476 59190", "1943 476 5919", "943.476.5919", "943,476,5919", "943/476/5919",
		"943 4765919", "943476 5919", "9434 765 919", "943    476 5919", "94347 65919", `943\n476\n5919`, `943\\476\\5919`, `\u00419434765\u0041919`, `\u00319434765919`,
		"[943, 476, 5919]", "%209434%20765919", "943%2E476%2E5919", "2026-11-20T09:31:22.123456Z", "2026-11-20 09:31:22", "9434765919ab", "ab9434765919", "7c9e9434765919ae", "9b74c9897bac770ffc029434765919de",
		"1234567890", "X01000001", "E01000001", strings.Repeat("9434765919", 20), strings.Repeat(" ", 100), strings.Repeat("-", 100),
	} {
		for shift := range 12 {
			padded := strings.Repeat(".", shift) + text
			if event.HoldsNHSNumber([]byte(padded)) {
				t.Errorf("found in %q", padded)
			}
		}
	}
}

// TestModulus11 builds numbers by the rule of the NHS Data Dictionary: of the ten check digits at most one is right.
func TestModulus11(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 11))
	for range 20_000 {
		stem := fmt.Sprintf("%09d", random.IntN(1_000_000_000))
		sum := 0
		for i := range 9 {
			sum += int(stem[i]-'0') * (10 - i)
		}
		right := (11 - sum%11) % 11
		for check := range 10 {
			number := fmt.Sprintf("%s%d", stem, check)
			if got := event.HoldsNHSNumber([]byte(number)); got != (check == right) {
				t.Fatalf("%s: %v", number, got)
			}
		}
	}
}

// TestRandomIdsAreNotNHSNumbers: ids that no person chose must not be refused by chance.
func TestRandomIdsAreNotNHSNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		var id uuid.UUID
		for i := range id {
			id[i] = byte(random.Uint32())
		}
		for _, text := range []string{id.String(), strings.ToUpper(id.String()), hex.EncodeToString(id[:]), "urn:uuid:" + id.String(), `{"person":"` + hex.EncodeToString(id[:]) + `"}`} {
			if event.HoldsNHSNumber([]byte(text)) {
				t.Fatalf("found in %s", text)
			}
		}
	}
}

// Wherever an NHS number stands, the message is marked for removal, its payload is not kept and nothing repeats it.
func TestNHSNumberAnywhere(t *testing.T) {
	const number = "9434765919"
	d := newDecoder(t)
	for _, test := range []struct {
		name, field string
		reason      event.Reason
		subject     string
		payload     []byte
	}{
		{"person", "data.person", event.NHSNumber, "", with(t, nil, object{"person": number})},
		{"person as a number", "data.person", event.NHSNumber, "", with(t, nil, object{"person": 9434765919})},
		{"person in words", "data.person", event.NHSNumber, "", with(t, nil, object{"person": "NHS 943 476 5919"})},
		{"previous", "data.personPrevious", event.NHSNumber, "", with(t, nil, object{"personPrevious": number})},
		{"key", "data.personKey", event.NHSNumber, "", with(t, nil, object{"personKey": number})},
		{"record", "data.record", event.NHSNumber, "", with(t, nil, object{"record": "flu-" + number})},
		{"id", "id", event.NHSNumber, "", with(t, object{"id": number + "/1"}, nil)},
		{"source", "source", event.NHSNumber, "", with(t, object{"source": "urn:gp:" + number}, nil)},
		{"practice", "data.practice", event.NHSNumber, "", with(t, nil, object{"practice": number})},
		{"several: the person first", "data.person", event.NHSNumber, "", with(t, object{"id": number}, object{"person": number, "lsoa": number})},
		{"extra field", "extra field", event.NHSNumber, "", with(t, object{"note": number}, nil)},
		{"extra field, deep", "extra field", event.NHSNumber, "", with(t, nil, object{"a": []any{object{"b": number}}})},
		{"key of an extra field", "extra field", event.NHSNumber, "", with(t, nil, object{number: 1})},
		{"data is a text", "data", event.NHSNumber, "", with(t, object{"data": "patient " + number}, nil)},
		{"not an object", "extra field", event.NHSNumber, "", []byte(`["` + number + `"]`)},
		{"escaped", "data.record", event.NHSNumber, "", []byte(strings.Replace(typical, "7c9e6679-7425-40de-944b-e07fc1f90ae7", `\u0039434765919`, 1))},
		{"too deep", "extra field", event.NHSNumber, "", with(t, object{"x": nest(40, number)}, nil)},
		{"not JSON", "payload", event.NotJSON, "", []byte("PID|1|" + number + "|")},
		{"cut off", "payload", event.NotJSON, "", []byte(`{"data":{"person":"` + number)},
		{"not UTF-8", "payload", event.NotUTF8, "", []byte("\xff" + number)},
		{"duplicate key", "data.person", event.DuplicateKey, "", []byte(`{"data":{"person":"` + number + `","person":"x"}}`)},
		{"too large", "payload", event.TooLarge, "", []byte(number + strings.Repeat(" ", event.MaxBytes))},
		{"subject", "subject", event.SubjectMismatch, typicalSubject + "." + number, []byte(typical)},
		{"subject of another error", "data.dose", event.BadDose, "prevention.events." + number, with(t, nil, object{"dose": 0})},
	} {
		subject := test.subject
		if subject == "" {
			subject = typicalSubject
		}
		_, r := d.Decode(subject, test.payload)
		if r == nil {
			t.Errorf("%s: accepted", test.name)
			continue
		}
		if r.Reason != test.reason || r.Field != test.field || !r.Identifying || r.Payload {
			t.Errorf("%s: %+v", test.name, *r)
		}
		if strings.Contains(r.Error(), "9434") || strings.Contains(r.Error(), "5919") {
			t.Errorf("%s: repeats the number: %s", test.name, r.Error())
		}
	}
}

func nest(n int, v any) any {
	for range n {
		v = []any{v}
	}
	return v
}
