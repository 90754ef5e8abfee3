package simulate

import (
	"bytes"
	"fmt"
	"strings"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

// PlantedNumber looks like an NHS number and passes its check, but lies in the range 999 000 0000 to 999 999 9999 that is
// never issued. It is the only one in anything that is simulated.
const PlantedNumber = "9990000018"

// invalidMessage is one that must become a dead letter.
type invalidMessage struct {
	message Message
	reason  event.Reason
}

// envelope is a valid event whose parts can be spoilt one by one; the values are raw JSON.
type envelope struct {
	subject      string
	payload      []byte // set where the event as a whole is spoilt
	outer, inner []field
	programme    *programme.Programme
}

type field struct{ key, value string }

func (e *envelope) set(path, raw string) {
	fields := &e.outer
	key := path
	if rest, ok := strings.CutPrefix(path, "data."); ok {
		fields, key = &e.inner, rest
	}
	for i := range *fields {
		if (*fields)[i].key == key {
			(*fields)[i].value = raw
			return
		}
	}
	*fields = append(*fields, field{key, raw})
}

func (e *envelope) drop(path string) { e.set(path, "") }

func (e *envelope) json() []byte {
	if e.payload != nil {
		return e.payload
	}
	var b bytes.Buffer
	object := func(fields []field) {
		b.WriteByte('{')
		first := true
		for _, f := range fields {
			if f.value == "" {
				continue
			}
			if !first {
				b.WriteByte(',')
			}
			first = false
			fmt.Fprintf(&b, "%q:%s", f.key, f.value)
		}
		b.WriteByte('}')
	}
	object(e.inner)
	data := b.String()
	b.Reset()
	object(append(e.outer[:len(e.outer):len(e.outer)], field{"data", data}))
	return b.Bytes()
}

// spoilers are the ways in which a message can be one that must never be stored.
var spoilers = []struct {
	name   string
	reason event.Reason
	once   bool // big: one is enough
	spoil  func(e *envelope)
}{
	{"not JSON", event.NotJSON, false, func(e *envelope) { b := e.json(); e.payload = b[:len(b)-2] }},
	{"not UTF-8", event.NotUTF8, false, func(e *envelope) { e.set("data.provider", "\"SYN\xff1\"") }},
	{"over 1 MB", event.TooLarge, true, func(e *envelope) { e.set("data.remarks", `"`+strings.Repeat("long ", event.MaxBytes/5)+`"`) }},
	{"duplicate key", event.DuplicateKey, false, func(e *envelope) { e.inner = append(e.inner, field{"lsoa", `"X01000002"`}) }},
	{"nested too deep", event.TooDeep, false, func(e *envelope) { e.set("data.tree", strings.Repeat("[", 40)+strings.Repeat("]", 40)) }},
	{"person is an NHS number", event.NHSNumber, false, func(e *envelope) { e.set("data.person", `"`+PlantedNumber+`"`) }},
	{"record is an NHS number", event.NHSNumber, false, func(e *envelope) { e.set("data.record", `"jab-`+PlantedNumber+`"`) }},
	{"subject of another programme", event.SubjectMismatch, false, func(e *envelope) { e.subject += "x" }},
	{"type of another programme", event.SubjectMismatch, false, func(e *envelope) {
		other := event.TypeHealthCheck
		if e.programme.EventType == other {
			other = event.TypeVaccination
		}
		e.set("type", `"`+other+`"`)
	}},
	{"no CloudEvent", event.NotCloudEvent, false, func(e *envelope) { e.set("specversion", `"0.3"`) }},
	{"a list", event.NotCloudEvent, false, func(e *envelope) { e.payload = []byte(`[]`) }},
	{"unknown type", event.UnknownType, false, func(e *envelope) { e.set("type", `"uk.nhs.prevention.screening.v1"`) }},
	{"record is empty", event.BadIdentifier, false, func(e *envelope) { e.set("data.record", `""`) }},
	{"source is no URI", event.BadSource, false, func(e *envelope) { e.set("source", `"the surgery"`) }},
	{"time far ahead", event.BadTime, false, func(e *envelope) { e.set("time", `"2199-01-01T00:00:00Z"`) }},
	{"time before 1900", event.BadTime, false, func(e *envelope) { e.set("time", `"1899-12-31T00:00:00Z"`) }},
	{"time is none", event.BadTime, false, func(e *envelope) { e.set("time", `"last Tuesday"`) }},
	{"no person", event.MissingField, false, func(e *envelope) { e.drop("data.person") }},
	{"person is a name", event.NotPseudonym, false, func(e *envelope) { e.set("data.person", `"Jane Example"`) }},
	{"unknown status", event.UnknownStatus, false, func(e *envelope) { e.set("data.status", `"planned"`) }},
	{"unknown programme", event.UnknownProgramme, false, func(e *envelope) {
		e.set("data.programme", `"measles-1899"`)
		e.subject = e.subject[:len(e.subject)-len(e.programme.ID)] + "measles-1899"
	}},
	{"no season", event.NoSeason, false, func(e *envelope) {
		switch e.programme.Kind {
		case programme.Cohort:
			e.set("data.cohort", `"1899-00"`)
		default:
			e.set("data.occurredAt", `"`+(e.programme.Seasons[0].Start-1).String()+`"`)
		}
	}},
	{"day to come", event.BadDay, false, func(e *envelope) { e.set("data.occurredAt", `"2199-01-01"`) }},
	{"day before 1900", event.BadDay, false, func(e *envelope) { e.set("data.occurredAt", `"1899-12-31"`) }},
	{"day is none", event.BadDay, false, func(e *envelope) { e.set("data.occurredAt", `"2025-02-30"`) }},
	{"dose 0", event.BadDose, false, func(e *envelope) { e.set("data.dose", `0`) }},
	{"LSOA is a postcode", event.BadLSOA, false, func(e *envelope) { e.set("data.lsoa", `"NM1 1AA"`) }},
	{"unknown ethnic category", event.BadEthnicity, false, func(e *envelope) { e.set("data.ethnicity", `"Y"`) }},
	{"practice is a name", event.BadODSCode, false, func(e *envelope) { e.set("data.practice", `"The Surgery"`) }},
	{"groups are none", event.BadGroups, false, func(e *envelope) { e.set("data.plus", `"smi"`) }},
	{"correction is a word", event.BadCorrection, false, func(e *envelope) { e.set("data.correction", `"yes"`) }},
}

// addInvalid strews messages of every invalid kind over the last 90 days.
func (b *builder) addInvalid() {
	rounds := 1 + len(b.drafts)/50_000
	for round := range rounds {
		for i := range spoilers {
			s := &spoilers[i]
			if s.once && round > 0 {
				continue
			}
			at := uint8((round + i) % len(b.set.Programmes))
			if s.reason == event.NoSeason {
				if at = b.withSeasons(at); len(b.set.Programmes[at].Seasons) == 0 {
					continue
				}
			}
			n := len(b.invalid) + 1
			arrival := b.now - 1 - uint32(b.r.IntN(90*day))
			e := b.envelope(at, n, arrival)
			s.spoil(e)
			b.invalid = append(b.invalid, invalidMessage{
				message: Message{Subject: e.subject, MsgID: fmt.Sprintf("%s|X%08d", sources[0], n), Payload: e.json()},
				reason:  s.reason,
			})
			b.drafts = append(b.drafts, draft{arrival: arrival, record: uint32(n - 1), flags: invalid})
			b.expected.DeadLetters[s.reason]++
			b.expected.Noise["invalid: "+s.name]++
		}
	}
}

// withSeasons is the first programme from at on that has seasons; at itself if none has.
func (b *builder) withSeasons(at uint8) uint8 {
	for i := range b.set.Programmes {
		if n := (int(at) + i) % len(b.set.Programmes); len(b.set.Programmes[n].Seasons) > 0 {
			return uint8(n)
		}
	}
	return at
}

func (b *builder) envelope(at uint8, n int, made uint32) *envelope {
	p := b.set.Programmes[at]
	occurred := calendar.Day(made / 86400)
	if p.Kind == programme.Seasonal {
		occurred = p.Seasons[0].Start
	}
	text := func(s string) string { return `"` + s + `"` }
	when := appendClock(appendDay(nil, calendar.Day(made/86400)), made%86400)
	e := &envelope{
		subject:   event.SubjectPrefix + kindOf(p) + "." + p.ID,
		programme: p,
		outer: []field{
			{"specversion", `"1.0"`}, {"id", fmt.Sprintf(`"X%08d"`, n)}, {"source", text(sources[0])}, {"type", text(p.EventType)},
			{"time", text(string(when) + "Z")},
		},
		inner: []field{
			{"record", fmt.Sprintf(`"X%08d"`, n)}, {"status", `"completed"`}, {"person", text(b.pseudonym(uint32(n), 2).String())},
			{"personKey", text(oldKey)}, {"programme", text(p.ID)}, {"occurredAt", text(occurred.String())}, {"lsoa", `"X01000001"`},
		},
	}
	if p.Kind == programme.Cohort {
		e.set("data.cohort", text(p.Seasons[0].ID))
	}
	return e
}
