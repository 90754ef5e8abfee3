package event

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// SubjectPrefix starts the subject of every event.
const SubjectPrefix = "prevention.events."

// The third part of an event's subject.
const (
	KindVaccination = "vaccination"
	KindHealthCheck = "health-check"
)

// HeaderMsgID is the header by which JetStream finds a message that is published twice within its duplicate window.
const HeaderMsgID = "Nats-Msg-Id"

// ContentType is the media type of an event in structured mode.
const ContentType = "application/cloudevents+json"

// Subject is where an event is published: prevention.events.<kind>.<programme>.
func Subject(e *Event) string { return subject(e.Type, e.Programme) }

func subject(typ, programme string) string {
	kind := KindVaccination
	if typ == TypeHealthCheck {
		kind = KindHealthCheck
	}
	return SubjectPrefix + kind + "." + programme
}

// MsgID is the event's value of the header [HeaderMsgID]. A source has no "|", so no two emissions share one.
func MsgID(e *Event) string { return e.Source + "|" + e.ID }

// Encode writes an event as structured CloudEvents JSON, always in the same order and without what is empty.
func Encode(e *Event) []byte { return Append(make([]byte, 0, 768), e) }

// Append writes an event like [Encode] behind what is in b. Only what senders say is written: RecordID and Version
// follow from it, and so does Season unless Cohort says it. It checks nothing, so that tests can write what is wrong.
func Append(b []byte, e *Event) []byte {
	b = append(b, `{"specversion":"1.0"`...)
	b = appendText(b, `,"id":`, e.ID)
	b = appendText(b, `,"source":`, e.Source)
	b = appendText(b, `,"type":`, e.Type)
	b = append(b, `,"time":"`...)
	b = e.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","datacontenttype":"application/json","data":{`...)
	b = appendText(b, `"record":`, e.Record)
	b = appendText(b, `,"status":`, e.Status.String())
	b = appendText(b, `,"person":`, e.Person.String())
	b = appendOptional(b, `,"personKey":`, e.PersonKey)
	if e.Previous != (Pseudonym{}) {
		b = appendText(b, `,"personPrevious":`, e.Previous.String())
	}
	b = appendText(b, `,"programme":`, e.Programme)
	b = append(b, `,"occurredAt":"`...)
	b = e.Day.Time().AppendFormat(b, time.DateOnly)
	b = append(b, '"')
	b = appendText(b, `,"lsoa":`, e.LSOA)
	if e.Dose != 0 {
		b = append(b, `,"dose":`...)
		b = strconv.AppendUint(b, uint64(e.Dose), 10)
	}
	b = appendOptional(b, `,"cohort":`, e.Cohort)
	b = appendOptional(b, `,"ethnicity":`, e.Ethnicity)
	b = appendOptional(b, `,"practice":`, e.Practice)
	b = appendOptional(b, `,"provider":`, e.Provider)
	for i, group := range e.Plus {
		if i == 0 {
			b = append(b, `,"plus":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendText(b, "", group)
	}
	if len(e.Plus) > 0 {
		b = append(b, ']')
	}
	if e.Correction {
		b = append(b, `,"correction":true`...)
	}
	return append(b, "}}"...)
}

func appendOptional(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return appendText(b, key, value)
}

func appendText(b []byte, key, value string) []byte {
	b = append(b, key...)
	b, err := jsontext.AppendQuote(b, value)
	if err != nil {
		// Not UTF-8: AppendQuote has written replacement characters, which is what the sender's JSON library would do.
		return b
	}
	return b
}
