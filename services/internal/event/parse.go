package event

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/zeebo/xxh3"
)

// field is a key that the contract knows.
type field int

const (
	fieldSpecversion field = iota
	fieldID
	fieldSource
	fieldType
	fieldTime
	fieldContentType
	fieldDataBase64
	fieldData
	fieldRecord
	fieldStatus
	fieldPerson
	fieldPersonKey
	fieldPrevious
	fieldProgramme
	fieldOccurredAt
	fieldLSOA
	fieldDose
	fieldCohort
	fieldEthnicity
	fieldPractice
	fieldProvider
	fieldPlus
	fieldCorrection
	fields // how many there are
)

var fieldNames = [fields]string{
	"specversion", "id", "source", "type", "time", "datacontenttype", "data_base64", "data",
	"data.record", "data.status", "data.person", "data.personKey", "data.personPrevious", "data.programme",
	"data.occurredAt", "data.lsoa", "data.dose", "data.cohort", "data.ethnicity", "data.practice", "data.provider",
	"data.plus", "data.correction",
}

func (f field) String() string { return fieldNames[f] }

// attribute finds a key of the event.
func attribute(key []byte) (field, bool) {
	switch string(key) {
	case "specversion":
		return fieldSpecversion, true
	case "id":
		return fieldID, true
	case "source":
		return fieldSource, true
	case "type":
		return fieldType, true
	case "time":
		return fieldTime, true
	case "datacontenttype":
		return fieldContentType, true
	case "data_base64":
		return fieldDataBase64, true
	case "data":
		return fieldData, true
	}
	return 0, false
}

// member finds a key of data.
func member(key []byte) (field, bool) {
	switch string(key) {
	case "record":
		return fieldRecord, true
	case "status":
		return fieldStatus, true
	case "person":
		return fieldPerson, true
	case "personKey":
		return fieldPersonKey, true
	case "personPrevious":
		return fieldPrevious, true
	case "programme":
		return fieldProgramme, true
	case "occurredAt":
		return fieldOccurredAt, true
	case "lsoa":
		return fieldLSOA, true
	case "dose":
		return fieldDose, true
	case "cohort":
		return fieldCohort, true
	case "ethnicity":
		return fieldEthnicity, true
	case "practice":
		return fieldPractice, true
	case "provider":
		return fieldProvider, true
	case "plus":
		return fieldPlus, true
	case "correction":
		return fieldCorrection, true
	}
	return 0, false
}

// someObject stands for data, whose members have fields of their own.
var someObject = []byte("{}")

// scratch is what decoding one message needs and the next one can use again.
type scratch struct {
	json   jsontext.Decoder
	reader bytes.Buffer
	object bool // the message is an object
	// fields holds the JSON text of each known key, as slices of the message; nil where it is missing or null, which
	// CloudEvents takes for the same.
	fields  [fields][]byte
	work    []byte // to build hashes and ids in
	words   interner
	sources interner // those that were found to be URIs
}

func newScratch() *scratch {
	return &scratch{
		words:   make(interner, 1<<13), // 128 KiB: the codes of a system or two
		sources: make(interner, 1<<9),
	}
}

// parse splits a message into its fields. It also tells whether it nests too deep.
func (s *scratch) parse(payload []byte) (deep bool, _ *Rejection) {
	s.fields, s.object = [fields][]byte{}, false
	s.reader = *bytes.NewBuffer(payload)
	s.json.Reset(&s.reader)
	deep, err := s.document(payload)
	if err == nil {
		return deep, nil
	}
	s.fields = [fields][]byte{}
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		at := "payload"
		if errors.As(err, &syntax) {
			at = known(syntax.JSONPointer)
		}
		return false, reject(DuplicateKey, at, "must not be given twice in one object")
	case Depth(payload) > MaxDepth:
		return false, reject(TooDeep, "payload", "must nest at most 32 objects and arrays")
	}
	return false, reject(NotJSON, "payload", "must be one JSON value")
}

func (s *scratch) document(payload []byte) (deep bool, err error) {
	s.object = s.json.PeekKind() == '{'
	if s.object {
		deep, err = s.members(payload, attribute)
	} else {
		var value []byte
		value, err = s.json.ReadValue()
		deep = Depth(value) > MaxDepth
	}
	if err != nil {
		return false, err
	}
	if rest := payload[s.json.InputOffset():]; len(bytes.Trim(rest, " \t\r\n")) > 0 {
		return false, io.ErrUnexpectedEOF
	}
	return deep, nil
}

// members reads one object, key by key.
func (s *scratch) members(payload []byte, find func([]byte) (field, bool)) (deep bool, err error) {
	if _, err := s.json.ReadToken(); err != nil {
		return false, err
	}
	for s.json.PeekKind() == '"' {
		key, err := s.json.ReadValue()
		if err != nil {
			return false, err
		}
		f, known := find(unquote(key))
		if known && f == fieldData && s.json.PeekKind() == '{' {
			s.fields[fieldData] = someObject
			d, err := s.members(payload, member)
			if err != nil {
				return false, err
			}
			deep = deep || d
			continue
		}
		value, err := s.json.ReadValue()
		if err != nil {
			return false, err
		}
		switch value[0] {
		case '{', '[':
			deep = deep || Depth(value)+s.json.StackDepth() > MaxDepth
		case 'n':
			continue // null
		}
		if known {
			// The decoder's own slice is good until the next call only; the message's stays.
			end := int(s.json.InputOffset())
			s.fields[f] = payload[end-len(value) : end]
		}
	}
	_, err = s.json.ReadToken() // the closing brace, or what stands in its place
	return deep, err
}

// unquote is the text of a JSON string.
func unquote(value []byte) []byte {
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1]
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return nil // cannot happen: the decoder has let it pass
	}
	return text
}

// text is a field's text; nil if it is not a string.
func (s *scratch) text(f field) []byte {
	value := s.fields[f]
	if len(value) == 0 || value[0] != '"' {
		return nil
	}
	return unquote(value)
}

// holder is where something like an NHS number is.
func (s *scratch) holder() string {
	// Those that identify first, so that the answer does not depend on the order of keys.
	for _, f := range []field{fieldPerson, fieldRecord, fieldID, fieldSource} {
		if HoldsNHSNumber(s.fields[f]) {
			return f.String()
		}
	}
	for f, value := range s.fields {
		if HoldsNHSNumber(value) {
			return field(f).String()
		}
	}
	return "extra field"
}

// known is the field that a JSON pointer names; "payload" for what the contract does not know, since a key may be as
// personal as a value.
func known(pointer jsontext.Pointer) string {
	for _, f := range fieldNames {
		if string(pointer) == "/"+string(bytes.ReplaceAll([]byte(f), []byte("."), []byte("/"))) {
			return f
		}
	}
	return "payload"
}

// Depth is how many objects and arrays of a JSON text lie in each other. Where the text is no JSON it is a guess.
func Depth(text []byte) int {
	now, most := 0, 0
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			now++
			most = max(most, now)
		case c == '}', c == ']':
			now--
		}
	}
	return most
}

// interner keeps recently seen short strings, so that the few thousand codes that fill millions of events are not
// allocated for each. Its size is fixed: a new string takes the place of the one with the same hash.
type interner []string

func (t interner) slot(text []byte) *string {
	return &t[xxh3.Hash(text)%uint64(len(t))]
}

func (t interner) get(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	kept := t.slot(text)
	if *kept != string(text) {
		*kept = string(text)
	}
	return *kept
}
