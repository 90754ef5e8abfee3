package event_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
)

func TestDecode(t *testing.T) {
	got := mustDecode(t, newDecoder(t), with(t, nil, object{
		"personPrevious": "aab3238922bcc25a6f606eb525ffdc56", "dose": 2, "plus": []any{"smi", "ld", "smi"}, "correction": true,
		"cohort": "2024-25",
	}))
	want := event.Event{
		ID:         "0f8fad5b-d9cb-469f-a165-70867728950e",
		Source:     "https://pharmacy.example/systems/12",
		Type:       "uk.nhs.prevention.vaccination.v1",
		Time:       time.Date(2026, 11, 20, 9, 31, 22, 123_456_000, time.UTC),
		Record:     "7c9e6679-7425-40de-944b-e07fc1f90ae7",
		RecordID:   event.NewRecordID("https://pharmacy.example/systems/12", "7c9e6679-7425-40de-944b-e07fc1f90ae7"),
		Version:    got.Version,
		Status:     event.Completed,
		Correction: true,
		Person:     event.Pseudonym{0x9b, 0x74, 0xc9, 0x89, 0x7b, 0xac, 0x77, 0x0f, 0xfc, 0x02, 0x91, 0x02, 0xa2, 0x00, 0xc5, 0xde},
		PersonKey:  "2026-1",
		Previous:   event.Pseudonym{0xaa, 0xb3, 0x23, 0x89, 0x22, 0xbc, 0xc2, 0x5a, 0x6f, 0x60, 0x6e, 0xb5, 0x25, 0xff, 0xdc, 0x56},
		Programme:  "flu-65",
		Season:     "2026-27",
		Day:        calendar.Date(2026, 11, 20),
		Dose:       2,
		LSOA:       "E01000001",
		Ethnicity:  "A",
		Practice:   "A81001",
		Provider:   "FA123",
		Plus:       []string{"ld", "smi"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.Version != event.NewVersion(&got) || got.Version.Micros != want.Time.UnixMicro() {
		t.Errorf("version %+v", got.Version)
	}
}

func TestSubjectAndMsgID(t *testing.T) {
	e := mustDecode(t, newDecoder(t), []byte(typical))
	if got := event.Subject(&e); got != typicalSubject {
		t.Error(got)
	}
	if got := event.MsgID(&e); got != "https://pharmacy.example/systems/12|0f8fad5b-d9cb-469f-a165-70867728950e" {
		t.Error(got)
	}
	check := event.Event{Type: event.TypeHealthCheck, Programme: "bp-check"}
	if got := event.Subject(&check); got != "prevention.events.health-check.bp-check" {
		t.Error(got)
	}
}

func TestSeason(t *testing.T) {
	d := newDecoder(t)
	for _, test := range []struct {
		programme, day, cohort string
		season                 string // empty: refused
	}{
		{"flu-65", "2023-09-10", "", ""},
		{"flu-65", "2023-09-11", "", "2023-24"},
		{"flu-65", "2024-03-31", "", "2023-24"},
		{"flu-65", "2024-04-01", "", ""},
		{"flu-65", "2024-10-02", "", ""},
		{"flu-65", "2024-10-03", "", "2024-25"},
		{"flu-65", "2024-10-03", "2022-23", "2024-25"}, // a cohort says nothing here
		{"flu-65", "1900-01-01", "", ""},
		{"mmr-2", "2023-05-01", "2024-25", "2024-25"},
		{"mmr-2", "2026-05-01", "2024-25", "2024-25"}, // after the cut-off: kept, never counted
		{"mmr-2", "1950-05-01", "2024-25", "2024-25"},
		{"mmr-2", "2023-05-01", "", ""},
		{"mmr-2", "2023-05-01", "2030-31", ""},
		{"bp-check", "1900-01-01", "", "rolling"},
		{"bp-check", "2026-11-22", "2024-25", "rolling"},
	} {
		typ := event.TypeVaccination
		if test.programme == "bp-check" {
			typ = event.TypeHealthCheck
		}
		data := object{"programme": test.programme, "occurredAt": test.day}
		if test.cohort != "" {
			data["cohort"] = test.cohort
		}
		payload := with(t, object{"type": typ}, data)
		e, r := d.Decode(subjectOf(payload), payload)
		switch {
		case test.season == "" && (r == nil || r.Reason != event.NoSeason || !r.Payload):
			t.Errorf("%+v: %+v", test, r)
		case test.season != "" && r != nil:
			t.Errorf("%+v: %v", test, r)
		case e.Season != test.season:
			t.Errorf("%+v: season %s", test, e.Season)
		case e.Cohort != "" && test.programme != "mmr-2":
			t.Errorf("%+v: keeps the cohort", test)
		}
	}
}

// The day is the one in London, at both changes of the clock, at both midnights and in the years of double and of
// permanent summer time.
func TestDayIsLondons(t *testing.T) {
	d := newDecoder(t)
	for at, day := range map[string]string{
		"2026-03-28T23:59:59Z":      "2026-03-28", // the night the clocks go forward, still GMT
		"2026-03-29T00:30:00Z":      "2026-03-29",
		"2026-03-29T23:00:00Z":      "2026-03-30", // BST
		"2026-03-29T22:59:59.999Z":  "2026-03-29",
		"2025-10-25T22:59:59Z":      "2025-10-25", // BST, the night they go back
		"2025-10-25T23:00:00Z":      "2025-10-26",
		"2025-10-26T00:59:59Z":      "2025-10-26",
		"2025-10-26T23:59:59Z":      "2025-10-26", // GMT again
		"2025-10-27T00:00:00Z":      "2025-10-27",
		"2026-06-01T23:30:00Z":      "2026-06-02",
		"2026-06-02T00:30:00+01:00": "2026-06-02",
		"2026-06-01T20:00:00-05:00": "2026-06-02",
		"2026-06-02T08:00:00+10:00": "2026-06-01",
		"2026-01-01T00:00:00Z":      "2026-01-01",
		"2025-12-31T23:59:59.9Z":    "2025-12-31",
		"1943-07-01T22:00:00Z":      "1943-07-02", // double summer time
		"1970-01-01T23:00:00Z":      "1970-01-02", // permanent summer time
		"1969-12-31T22:59:59Z":      "1969-12-31",
		"2026-06-02":                "2026-06-02", // a date is a London day already
	} {
		e := mustDecode(t, d, with(t, object{"type": event.TypeHealthCheck}, object{"programme": "bp-check", "occurredAt": at}))
		if e.Day.String() != day {
			t.Errorf("%s: %s, want %s", at, e.Day, day)
		}
	}
}

// "Not in the future" is judged by London's today, which begins an hour before UTC's in summer.
func TestTodayIsLondons(t *testing.T) {
	d := newDecoder(t)
	for _, test := range []struct {
		now, occurred string
		accepted      bool
	}{
		{"2026-11-22T23:59:59Z", "2026-11-22", true},
		{"2026-11-22T23:59:59Z", "2026-11-23", false},
		{"2026-11-23T00:00:00Z", "2026-11-23", true},
		{"2026-07-01T22:59:59Z", "2026-07-02", false},
		{"2026-07-01T23:00:00Z", "2026-07-02", true},
		{"2026-07-01T12:00:00Z", "2026-07-01T22:59:59Z", true}, // later today
		{"2026-07-01T12:00:00Z", "2026-07-01T23:00:00Z", false},
	} {
		now, err := time.Parse(time.RFC3339, test.now)
		if err != nil {
			t.Fatal(err)
		}
		d.Now = func() time.Time { return now }
		payload := with(t, object{"type": event.TypeHealthCheck, "time": "2026-06-30T00:00:00Z"}, object{"programme": "bp-check", "occurredAt": test.occurred})
		_, r := d.Decode(subjectOf(payload), payload)
		if (r == nil) != test.accepted || r != nil && r.Reason != event.BadDay {
			t.Errorf("%+v: %v", test, r)
		}
	}
}

func TestTimeBorders(t *testing.T) {
	d := newDecoder(t)
	for at, rule := range map[string]string{
		"2026-11-22T12:05:00Z":        "",
		"2026-11-22T13:05:00+01:00":   "",
		"2026-11-22T12:05:00.000001Z": "must be at most 5 minutes ahead of now",
		"2026-11-22T07:06:00-05:00":   "must be at most 5 minutes ahead of now",
		"9999-12-31T23:59:59Z":        "must be at most 5 minutes ahead of now",
		"1900-01-01T00:00:00Z":        "",
		"1900-01-01T00:30:00+00:30":   "",
		"1900-01-01T00:29:59+00:30":   "must not be before 1900",
		"0001-01-01T00:00:00Z":        "must not be before 1900",
		"2024-02-29T00:00:00Z":        "",
		"2023-02-29T00:00:00Z":        "must be a time as in RFC 3339, with an offset and at most nine decimals",
		"2016-12-31T23:59:60Z":        "must be a time as in RFC 3339, with an offset and at most nine decimals",
	} {
		payload := with(t, object{"time": at}, nil)
		e, r := d.Decode(typicalSubject, payload)
		switch {
		case rule == "" && r != nil:
			t.Errorf("%s: %v", at, r)
		case rule != "" && (r == nil || r.Reason != event.BadTime || r.Field != "time" || r.Detail != rule || !r.Payload):
			t.Errorf("%s: %+v", at, r)
		case rule == "":
			want, err := time.Parse(time.RFC3339Nano, at)
			if err != nil || !e.Time.Equal(want) || e.Version.Micros != want.UnixMicro() {
				t.Errorf("%s: %s, %v", at, e.Time, err)
			}
		}
	}
	// What is kept is microseconds, before 1970 as well.
	e := mustDecode(t, d, with(t, object{"time": "1960-01-01T00:00:00.123456789Z"}, nil))
	if e.Time.Nanosecond() != 123_456_000 || e.Version.Micros != e.Time.UnixMicro() || e.Version.Micros >= 0 {
		t.Errorf("%s, %d", e.Time, e.Version.Micros)
	}
}

func TestTooLarge(t *testing.T) {
	d := newDecoder(t)
	fill := func(size int) []byte { return []byte(typical + strings.Repeat(" ", size-len(typical))) }
	if _, r := d.Decode(typicalSubject, fill(1_048_576)); r != nil {
		t.Errorf("1,048,576 bytes: %v", r)
	}
	_, r := d.Decode(typicalSubject, fill(1_048_577))
	want := &event.Rejection{Reason: event.TooLarge, Field: "payload", Detail: "must have at most 1,048,576 bytes"}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("1,048,577 bytes: %+v", r)
	}
}

func TestDepth(t *testing.T) {
	d := newDecoder(t)
	for n, accepted := range map[int]bool{30: true, 31: false, 9_000: false, 20_000: false} { // in data, which is in the event
		text := strings.Replace(typical, `"data":{`, `"data":{"x":`+strings.Repeat("[", n)+`"]]]"`+strings.Repeat("]", n)+`,`, 1)
		_, r := d.Decode(typicalSubject, []byte(text))
		if (r == nil) != accepted || r != nil && (r.Reason != event.TooDeep || r.Field != "payload") {
			t.Errorf("%d lists: %+v", n, r)
		}
	}
}

// A payload is kept for sending it again only where that is safe.
func TestPayloadIsKept(t *testing.T) {
	d := newDecoder(t)
	for name, test := range map[string]struct {
		payload []byte
		kept    bool
	}{
		"unknown programme":        {with(t, nil, object{"programme": "flu-64"}), true},
		"not a CloudEvent":         {with(t, object{"specversion": "2.0"}, nil), true},
		"dose nought":              {with(t, nil, object{"dose": 0}), true},
		"not a pseudonym":          {with(t, nil, object{"person": "Jane Doe"}), false},
		"pseudonym in capitals":    {with(t, nil, object{"person": "9B74C9897BAC770FFC029102A200C5DE"}), false},
		"no person":                {with(t, nil, object{"person": nil}), false},
		"no data":                  {with(t, object{"data": nil}, nil), false},
		"unknown type, no person":  {with(t, object{"type": "x"}, object{"person": 1}), false},
		"cut off":                  {[]byte(typical[:len(typical)-1]), false},
		"something behind":         {[]byte(typical + "x"), false},
		"a key twice":              {[]byte(strings.Replace(typical, `"lsoa"`, `"lsoa":"","lsoa"`, 1)), false},
		"NHS number and pseudonym": {with(t, object{"dose": 0}, object{"record": "9434765919"}), false},
		"too large":                {[]byte(typical + strings.Repeat(" ", event.MaxBytes)), false},
	} {
		_, r := d.Decode(subjectOf(test.payload), test.payload)
		if r == nil || r.Payload != test.kept {
			t.Errorf("%s: %+v", name, r)
		}
	}
	// Nothing of the message before is left over to judge this one by.
	mustDecode(t, d, []byte(typical))
	if _, r := d.Decode(typicalSubject, []byte("{}")); r == nil || r.Payload {
		t.Errorf("%+v", r)
	}
}

func TestNotJSON(t *testing.T) {
	d := newDecoder(t)
	for _, text := range []string{
		"", " ", "\ufeff" + typical, typical + typical, typical + ",", "{", "}", "null x", "nul", "'a'", "{a:1}", `{"a":01}`, `{"a":1,}`, `{"a" 1}`, `{"a":"\x"}`,
		`{"a":"` + "\n" + `"}`, `{"a":"\ud800"}`, `{1:2}`, `{"a":NaN}`, "// x\n{}", `{"a":+1}`, `["a" "b"]`,
	} {
		_, r := d.Decode(typicalSubject, []byte(text))
		if r == nil || r.Reason != event.NotJSON || r.Field != "payload" {
			t.Errorf("%q: %+v", text, r)
		}
	}
	for _, text := range []string{"null", "1", `"x"`, "[]", "[{}]", "{}"} {
		_, r := d.Decode(typicalSubject, []byte(text))
		if r == nil || r.Reason != event.NotCloudEvent {
			t.Errorf("%q: %+v", text, r)
		}
	}
}

func TestSpellingDoesNotMatter(t *testing.T) {
	d := newDecoder(t)
	want := mustDecode(t, d, []byte(typical))
	for _, text := range []string{
		strings.ReplaceAll(typical, ",", " ,\r\n\t"),
		strings.ReplaceAll(typical, `"lsoa":"E01000001"`, `"\u006csoa":"\u004501000001"`),
		strings.ReplaceAll(typical, `https://`, `https:\/\/`),
		strings.ReplaceAll(typical, "smi", `\u0073mi`),
		strings.ReplaceAll(typical, "2026-11-20T09:31:22.123456Z", "2026-11-20t10:31:22.123456999+01:00"),
		strings.ReplaceAll(typical, "2026-11-20T09:30:00Z", "2026-11-20"),
		strings.ReplaceAll(typical, `"plus"`, `"dose":null,"correction":false,"Lsoa":"E01000002","extra":{"lsoa":1},"plus"`),
		strings.ReplaceAll(typical, `["smi"]`, `[ "smi" , "smi" ]`),
	} {
		if text == typical {
			t.Fatal("nothing was changed")
		}
		if got := mustDecode(t, d, []byte(text)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", text, got, want)
		}
	}
}

func TestDose(t *testing.T) {
	d := newDecoder(t)
	for text, want := range map[string]uint8{"1": 1, "9": 9, "2.0": 2, "3.000": 3, "null": 0} {
		e := mustDecode(t, d, []byte(strings.Replace(typical, `"plus"`, `"dose":`+text+`,"plus"`, 1)))
		if e.Dose != want {
			t.Errorf("%s: %d", text, e.Dose)
		}
	}
	for _, text := range []string{"0", "-1", "10", "1.5", "1e0", "true", `""`, `"1"`, "[1]", "{}", "-0"} {
		_, r := d.Decode(typicalSubject, []byte(strings.Replace(typical, `"plus"`, `"dose":`+text+`,"plus"`, 1)))
		if r == nil || r.Reason != event.BadDose || r.Field != "data.dose" || !r.Payload {
			t.Errorf("%s: %+v", text, r)
		}
	}
}

// The first of several errors is always the same one.
func TestOrderOfErrors(t *testing.T) {
	d := newDecoder(t)
	payload := with(t, object{"type": "x", "time": "y"}, object{"lsoa": "z", "status": "z"})
	var first event.Rejection
	for i := range 50 {
		_, r := d.Decode("prevention.events.x.y", payload)
		if r == nil {
			t.Fatal("accepted")
		}
		if i == 0 {
			first = *r
		}
		if *r != first {
			t.Fatalf("%+v, then %+v", first, *r)
		}
	}
	if first.Reason != event.UnknownType {
		t.Errorf("%+v", first)
	}
}

func TestEventKeepsNothingOfThePayload(t *testing.T) {
	d := newDecoder(t)
	payload := []byte(typical)
	e := mustDecode(t, d, payload)
	want := fmt.Sprintf("%+v", e)
	for i := range payload {
		payload[i] = 'x'
	}
	mustDecode(t, d, with(t, object{"id": "another"}, object{"record": "another", "plus": []any{"ld"}}))
	if got := fmt.Sprintf("%+v", e); got != want {
		t.Errorf("changed with the payload:\n%s\n%s", got, want)
	}
}

func TestDecodeFromSeveralGoroutines(t *testing.T) {
	d := newDecoder(t)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 500 {
				record := fmt.Sprintf("record-%d-%d", worker, i)
				lsoa := fmt.Sprintf("X01%06d", worker*1000+i)
				payload := []byte(strings.NewReplacer("7c9e6679-7425-40de-944b-e07fc1f90ae7", record, "E01000001", lsoa).Replace(typical))
				e, r := d.Decode(typicalSubject, payload)
				if r != nil || e.Record != record || e.LSOA != lsoa || e.RecordID != event.NewRecordID(e.Source, record) {
					t.Errorf("%s: %+v, %v", record, e, r)
					return
				}
				if _, r := d.Decode(typicalSubject, payload[:100]); r == nil || r.Reason != event.NotJSON {
					t.Errorf("%+v", r)
				}
			}
		})
	}
	group.Wait()
}

func TestDecodeHardlyAllocates(t *testing.T) {
	d := newDecoder(t)
	payload := []byte(typical)
	if n := testing.AllocsPerRun(200, func() { _, _ = d.Decode(typicalSubject, payload) }); n > 3 && !raceDetector {
		t.Errorf("%v allocations an event", n)
	}
}

func TestReasonsAreDistinct(t *testing.T) {
	sorted := slices.Clone(event.Reasons)
	slices.Sort(sorted)
	if len(slices.Compact(sorted)) != len(event.Reasons) {
		t.Error("a reason is listed twice")
	}
}
