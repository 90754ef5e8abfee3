// Package cloudevent reads what a sender says in a CloudEvent: the event of schemas/events, with three differences that hold
// at the door only. data.person may be an NHS number; data.birthDate and data.postcode may be there; data.programme may be
// missing where codes say what was done. It judges the form and reads and writes nothing but bytes.
package cloudevent

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
)

// Limits of what is read; those of [event.Decoder] hold for what leaves the door.
const (
	MaxBytes = event.MaxBytes // of one CloudEvent
	maxDepth = event.MaxDepth
	maxCodes = 32 // in one list of codes
)

// Decode reads one CloudEvent in structured mode. The submission keeps no reference to payload. With a problem it has Source
// and Record if they could be read, and nothing else.
func Decode(payload []byte) (admit.Submission, *admit.Problem) {
	return read(payload, func(r *reader, s *attributes) error { return r.members(s.attribute) })
}

// DecodeBinary reads one CloudEvent in binary mode: data is the body, and attribute gives each attribute's text, "" for one
// that is not there.
func DecodeBinary(attribute func(name string) string, data []byte) (admit.Submission, *admit.Problem) {
	return read(data, func(r *reader, s *attributes) error {
		for name, into := range map[string]*string{"specversion": &s.specversion, "id": &s.id, "source": &s.sub.Source, "type": &s.sub.Type, "time": &s.time} {
			if *into = attribute(name); !utf8.ValidString(*into) {
				return refuse(event.NotUTF8, name, "must be UTF-8")
			}
		}
		s.data = true
		return r.members(s.member)
	})
}

func read(payload []byte, document func(*reader, *attributes) error) (admit.Submission, *admit.Problem) {
	if len(payload) > MaxBytes {
		return admit.Submission{}, refuse(event.TooLarge, "payload", "must have at most 1,048,576 bytes")
	}
	if !utf8.Valid(payload) {
		return admit.Submission{}, refuse(event.NotUTF8, "payload", "must be UTF-8")
	}
	r := readers.Get().(*reader)
	defer readers.Put(r)
	r.reset(payload)
	s := attributes{}
	err := document(r, &s)
	if err == nil {
		err = r.end()
	}
	named := admit.Submission{Source: s.sub.Source, Record: s.sub.Record}
	if err != nil {
		return named, problem(err, payload)
	}
	if err := s.finish(); err != nil {
		return named, err
	}
	s.sub.Where = where
	return s.sub, nil
}

// attributes is a CloudEvent as far as it was read.
type attributes struct {
	sub               admit.Submission
	specversion, id   string
	time              string
	status            string
	person, personKey string
	previous          string
	data              bool
}

// attribute reads the value of a key of the event.
func (s *attributes) attribute(r *reader, key []byte) error {
	switch string(key) {
	case "specversion":
		return r.text("specversion", event.NotCloudEvent, &s.specversion)
	case "id":
		return r.text("id", event.NotCloudEvent, &s.id)
	case "source":
		return r.text("source", event.NotCloudEvent, &s.sub.Source)
	case "type":
		return r.text("type", event.NotCloudEvent, &s.sub.Type)
	case "time":
		return r.text("time", event.BadTime, &s.time)
	case "datacontenttype":
		var kind string
		if err := r.text("datacontenttype", event.NotCloudEvent, &kind); err != nil {
			return err
		}
		if kind != "" && kind != "application/json" {
			return refuse(event.NotCloudEvent, "datacontenttype", `must be "application/json" or missing`)
		}
		return nil
	case "data_base64":
		if r.json.PeekKind() == 'n' {
			return r.skip()
		}
		return refuse(event.NotCloudEvent, "data_base64", "must not be there: data is JSON")
	case "data":
		switch r.json.PeekKind() {
		case '{':
			s.data = true
			return r.members(s.member)
		case 'n':
			return r.skip()
		}
		return refuse(event.NotCloudEvent, "data", "must be an object")
	}
	return r.skip()
}

// member reads the value of a key of data.
func (s *attributes) member(r *reader, key []byte) error {
	sub := &s.sub
	switch string(key) {
	case "record":
		return r.text("data.record", event.BadIdentifier, &sub.Record)
	case "status":
		return r.text("data.status", event.UnknownStatus, &s.status)
	case "person":
		return r.text("data.person", event.NotPseudonym, &s.person)
	case "personPrevious":
		return r.text("data.personPrevious", event.NotPseudonym, &s.previous)
	case "personKey":
		return r.text("data.personKey", event.BadIdentifier, &s.personKey)
	case "birthDate":
		return r.text("data.birthDate", event.BadDay, &sub.BirthDate)
	case "postcode":
		return r.text("data.postcode", admit.BadValue, &sub.Postcode)
	case "lsoa":
		return r.text("data.lsoa", event.BadLSOA, &sub.LSOA)
	case "programme":
		return r.text("data.programme", event.UnknownProgramme, &sub.Programme)
	case "cohort":
		return r.text("data.cohort", event.BadIdentifier, &sub.Cohort)
	case "occurredAt":
		return r.text("data.occurredAt", event.BadDay, &sub.OccurredAt)
	case "ethnicity":
		return r.text("data.ethnicity", event.BadEthnicity, &sub.Ethnicity)
	case "practice":
		return r.text("data.practice", event.BadODSCode, &sub.Practice)
	case "provider":
		return r.text("data.provider", event.BadODSCode, &sub.Provider)
	case "dose":
		return r.dose(&sub.Dose)
	case "plus":
		return r.texts("data.plus", event.BadGroups, event.MaxGroups, func(name string) { sub.Plus = append(sub.Plus, name) })
	case "procedure":
		return r.codes("data.procedure", &sub.Procedures)
	case "product":
		return r.codes("data.product", &sub.Products)
	case "check":
		return r.codes("data.check", &sub.Checks)
	case "disease":
		var all []admit.Code // that one dose protects against
		if err := r.codes("data.disease", &all); err != nil {
			return err
		}
		if len(all) > 0 {
			sub.Diseases = [][]admit.Code{all}
		}
		return nil
	case "correction":
		var correction bool
		if err := r.truth("data.correction", event.BadCorrection, &correction); err != nil {
			return err
		}
		if correction {
			sub.Revision = admit.Correction
		}
		return nil
	case "subpotent":
		return r.truth("data.subpotent", admit.BadValue, &sub.Subpotent)
	case "incomplete":
		return r.truth("data.incomplete", admit.BadValue, &sub.Incomplete)
	}
	return r.skip()
}

// finish checks what all of it says together. Values are for [admit.Door.Admit] to judge.
func (s *attributes) finish() *admit.Problem {
	if s.specversion != "1.0" {
		return refuse(event.NotCloudEvent, "specversion", `must be "1.0"`)
	}
	for _, required := range []struct{ field, value string }{{"id", s.id}, {"source", s.sub.Source}, {"type", s.sub.Type}} {
		if required.value == "" {
			return refuse(event.NotCloudEvent, required.field, "must be there and be a string")
		}
	}
	if s.time == "" {
		return refuse(event.MissingField, "time", "must be there")
	}
	var ok bool
	if s.sub.Time, ok = event.ParseTime(s.time); !ok {
		return refuse(event.BadTime, "time", "must be a time as in RFC 3339, with an offset and at most nine decimals")
	}
	if !s.data {
		return refuse(event.MissingField, "data", "must be there")
	}
	switch s.status {
	case "":
		return refuse(event.MissingField, "data.status", "must be there")
	case event.Completed.String():
		s.sub.Status = event.Completed
	case event.NotDone.String():
		s.sub.Status = event.NotDone
	case event.EnteredInError.String():
		s.sub.Status = event.EnteredInError
	default:
		return refuse(event.UnknownStatus, "data.status", "must be completed, entered-in-error or not-done")
	}
	if isPseudonym(s.person) {
		_, _ = hex.Decode(s.sub.Person[:], []byte(s.person))
		s.sub.PersonKey = s.personKey
		if s.previous != "" && !isPseudonym(s.previous) {
			return refuse(event.NotPseudonym, "data.personPrevious", "must be 32 lower-case hexadecimal digits")
		}
		_, _ = hex.Decode(s.sub.Previous[:], []byte(s.previous))
	} else {
		s.sub.NHSNumber = s.person // what a pseudonym came with is of no use here
	}
	return nil
}

// isPseudonym tells a pseudonym from an NHS number: 32 lower-case hexadecimal digits, not all of them nought.
func isPseudonym(text string) bool {
	return len(text) == 2*len(event.Pseudonym{}) && strings.Trim(text, "0123456789abcdef") == "" && strings.Trim(text, "0") != ""
}

// fields is where a part of a submission stands in a CloudEvent.
var fields = map[string]string{
	"Source": "source", "Type": "type", "Time": "time", "Record": "data.record", "Status": "data.status", "Revision": "data.correction",
	"NHSNumber": "data.person", "Person": "data.person", "Previous": "data.personPrevious", "PersonKey": "data.personKey", "BirthDate": "data.birthDate", "Postcode": "data.postcode",
	"LSOA": "data.lsoa", "Programme": "data.programme", "Cohort": "data.cohort", "Procedures": "data.procedure", "Products": "data.product",
	"Diseases": "data.disease", "Checks": "data.check", "Subpotent": "data.subpotent", "Incomplete": "data.incomplete",
	"OccurredAt": "data.occurredAt", "Dose": "data.dose", "Ethnicity": "data.ethnicity", "Practice": "data.practice", "Provider": "data.provider", "Plus": "data.plus",
}

func where(part string) string {
	if field, ok := fields[part]; ok {
		return field
	}
	return part
}

func refuse(reason event.Reason, field, rule string) *admit.Problem {
	return &admit.Problem{Reason: string(reason), Field: field, Rule: rule}
}

// problem says why a document could not be read to its end.
func problem(err error, payload []byte) *admit.Problem {
	var p *admit.Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, jsontext.ErrDuplicateName):
		return refuse(event.DuplicateKey, "payload", "must not have a key twice in one object")
	case errors.Is(err, errDeep), event.Depth(payload) > maxDepth:
		return refuse(event.TooDeep, "payload", "must nest at most 32 objects and arrays")
	case errors.Is(err, errNoObject):
		return refuse(event.NotCloudEvent, "payload", "must be an object")
	}
	return refuse(event.NotJSON, "payload", "must be one JSON value")
}

var (
	errDeep     = errors.New("nested too deep")
	errNoObject = errors.New("no object")
)

var readers = sync.Pool{New: func() any { return new(reader) }}

// reader reads JSON from bytes.
type reader struct {
	json   jsontext.Decoder
	buffer bytes.Buffer
	whole  []byte
}

func (r *reader) reset(payload []byte) {
	r.whole, r.buffer = payload, *bytes.NewBuffer(payload)
	r.json.Reset(&r.buffer)
}

// members reads one object, key by key; value must read exactly one value.
func (r *reader) members(value func(*reader, []byte) error) error {
	if r.json.PeekKind() != '{' {
		if err := r.skip(); err != nil {
			return err
		}
		return errNoObject
	}
	if _, err := r.json.ReadToken(); err != nil {
		return err
	}
	var key [64]byte
	for r.json.PeekKind() == '"' {
		raw, err := r.json.ReadValue()
		if err != nil {
			return err
		}
		name, err := jsontext.AppendUnquote(key[:0], raw)
		if err != nil {
			return err
		}
		if err := value(r, name); err != nil {
			return err
		}
	}
	_, err := r.json.ReadToken() // the closing brace, or what stands in its place
	return err
}

// end makes sure that nothing follows.
func (r *reader) end() error {
	if len(bytes.Trim(r.whole[r.json.InputOffset():], " \t\r\n")) > 0 {
		return refuse(event.NotJSON, "payload", "must be one JSON value")
	}
	return nil
}

func (r *reader) skip() error {
	_, err := r.value()
	return err
}

// value reads one value, which is good until the next call.
func (r *reader) value() ([]byte, error) {
	raw, err := r.json.ReadValue()
	if err != nil {
		return nil, err
	}
	if (raw[0] == '{' || raw[0] == '[') && r.json.StackDepth()+event.Depth(raw) > maxDepth {
		return nil, errDeep
	}
	return raw, nil
}

// text reads a string, or null for an empty one.
func (r *reader) text(field string, reason event.Reason, into *string) error {
	raw, err := r.value()
	if err != nil {
		return err
	}
	switch raw[0] {
	case 'n':
		return nil
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		*into = string(text)
		return err
	}
	return refuse(reason, field, "must be a string")
}

// texts reads a list of strings, or null for an empty one.
func (r *reader) texts(field string, reason event.Reason, most int, add func(string)) error {
	switch r.json.PeekKind() {
	case 'n':
		return r.skip()
	case '[':
	default:
		if err := r.skip(); err != nil {
			return err
		}
		return refuse(reason, field, "must be a list of strings")
	}
	if _, err := r.json.ReadToken(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if kind := r.json.PeekKind(); kind != '"' {
			break
		}
		if n == most {
			return refuse(reason, field, "must have fewer entries")
		}
		var text string
		if err := r.text(field, reason, &text); err != nil {
			return err
		}
		add(text)
	}
	if kind := r.json.PeekKind(); kind != ']' && kind != 0 {
		if err := r.skip(); err != nil {
			return err
		}
		return refuse(reason, field, "must be a list of strings")
	}
	_, err := r.json.ReadToken()
	return err
}

// codes reads a list of codes: "code" is one of SNOMED CT, any other is "system|code".
func (r *reader) codes(field string, into *[]admit.Code) error {
	return r.texts(field, admit.BadValue, maxCodes, func(text string) {
		system, code, found := strings.Cut(text, "|")
		if !found {
			system, code = admit.SNOMED, text
		}
		*into = append(*into, admit.Code{System: system, Code: code})
	})
}

func (r *reader) truth(field string, reason event.Reason, into *bool) error {
	raw, err := r.value()
	if err != nil {
		return err
	}
	switch raw[0] {
	case 't', 'f', 'n':
		*into = raw[0] == 't'
		return nil
	}
	return refuse(reason, field, "must be true or false")
}

// dose reads a whole number from 1 to 9, written as anybody would.
func (r *reader) dose(into *uint8) error {
	raw, err := r.value()
	if err != nil || raw[0] == 'n' {
		return err
	}
	whole, decimals, dotted := bytes.Cut(raw, []byte{'.'})
	if len(whole) != 1 || whole[0] < '1' || whole[0] > '0'+event.MaxDose || dotted && len(bytes.Trim(decimals, "0")) > 0 {
		return refuse(event.BadDose, "data.dose", "must be a whole number from 1 to 9")
	}
	*into = whole[0] - '0'
	return nil
}
