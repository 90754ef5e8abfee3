package fhir

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
)

func bad(reason, field, rule string) *admit.Problem {
	return &admit.Problem{Reason: reason, Field: field, Rule: rule}
}

func missing(field, rule string) *admit.Problem {
	return bad(string(event.MissingField), field, rule)
}

// whole is the field of what is wrong with a resource as such.
const whole = "resource"

// parse decodes the JSON of one resource into one of the shapes; at is where the resource stands, empty for the item itself.
func parse(text []byte, shape any, at string) *admit.Problem {
	// Keys are told apart by capitals, and keys that are given twice are refused, by default.
	err := json.Unmarshal(text, shape)
	if err == nil {
		return nil
	}
	root := reflect.TypeOf(shape).Elem()
	var wrong *json.SemanticError
	if errors.As(err, &wrong) {
		field, _ := path(root, wrong.JSONPointer, at)
		return bad(admit.BadValue, field, typeRule(wrong.GoType))
	}
	var syntax *jsontext.SyntacticError
	if errors.Is(err, jsontext.ErrDuplicateName) {
		field := named(at)
		if errors.As(err, &syntax) {
			field, _ = path(root, syntax.JSONPointer, at)
		}
		return bad(string(event.DuplicateKey), field, "must not have a key twice in one object")
	}
	return bad(string(event.NotJSON), named(at), "must be one JSON value")
}

func typeRule(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "must have the type that FHIR R4 says"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "must be true or false, not a string"
	case reflect.String:
		return "must be a string"
	case reflect.Slice:
		return "must be an array"
	case reflect.Struct:
		return "must be an object"
	case reflect.Int64:
		return "must be a whole number, not a string"
	case reflect.Float64:
		return "must be a number, not a string"
	}
	return "must have the type that FHIR R4 says"
}

// path is a JSON pointer as FHIR writes it. It ends before the first key that the shapes do not know: a key may be as personal as a
// value. known is false if it was cut.
func path(t reflect.Type, pointer jsontext.Pointer, at string) (field string, known bool) {
	out := []byte(at)
	for token := range pointer.Tokens() {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch {
		case t == reflect.TypeFor[jsontext.Value]():
			return named(string(out)), false
		case t.Kind() == reflect.Slice:
			n, err := strconv.Atoi(token)
			if err != nil {
				return named(string(out)), false
			}
			out = append(strconv.AppendInt(append(out, '['), int64(n), 10), ']')
			t = t.Elem()
		case t.Kind() == reflect.Struct:
			member, ok := memberOf(t, token)
			if !ok {
				return named(string(out)), false
			}
			if len(out) > 0 {
				out = append(out, '.')
			}
			out = append(out, token...)
			t = member
		default:
			return named(string(out)), false
		}
	}
	return named(string(out)), true
}

func memberOf(t reflect.Type, name string) (reflect.Type, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			if member, ok := memberOf(f.Type, name); ok {
				return member, true
			}
		} else if f.Tag.Get("json") == name {
			return f.Type, true
		}
	}
	return nil, false
}

func named(at string) string {
	if at == "" {
		return whole
	}
	return at
}

// below is a field within where a resource stands.
func below(at, field string) string {
	switch {
	case at == "":
		return field
	case field == "" || field == whole:
		return at
	}
	return at + "." + field
}

// index writes name[i].
func index(name string, i int) string { return name + "[" + strconv.Itoa(i) + "]" }

// scanner finds keys without decoding what lies between.
type scanner struct {
	json   jsontext.Decoder
	reader bytes.Buffer
	text   []byte
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// scan begins with a text. Keys that are given twice and broken characters pass: they are judged where a value is decoded.
func (s *scanner) scan(text []byte) {
	s.text, s.reader = text, *bytes.NewBuffer(text)
	s.json.Reset(&s.reader, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// scanOf takes a scanner for a text, which must be let go.
func scanOf(text []byte) *scanner {
	s, _ := scanners.Get().(*scanner)
	s.scan(text)
	return s
}

// letGo gives the scanner back without what it read: that is personal, and may be large.
func (s *scanner) letGo() {
	s.scan(nil)
	scanners.Put(s)
}

// value reads the next value, as a part of the text.
func (s *scanner) value() ([]byte, error) {
	v, err := s.json.ReadValue()
	end := int(s.json.InputOffset())
	return s.text[end-len(v) : end], err
}

// key reads the next key of an object; false after the last.
func (s *scanner) key() (string, bool, error) {
	if s.json.PeekKind() != '"' {
		_, err := s.json.ReadToken() // the closing brace, or what stands in its place
		return "", false, err
	}
	token, err := s.json.ReadToken()
	if err != nil {
		return "", false, err
	}
	return token.String(), true, nil
}

// head finds resourceType and id, which usually stand first. What it does not read it does not judge.
func head(text []byte) (kind, id string) {
	s := scanOf(text)
	defer s.letGo()
	if s.json.PeekKind() != '{' {
		return "", ""
	}
	if _, err := s.json.ReadToken(); err != nil {
		return "", ""
	}
	for kind == "" || id == "" {
		key, more, err := s.key()
		if err != nil || !more {
			break
		}
		if key != "resourceType" && key != "id" || s.json.PeekKind() != '"' {
			if s.json.SkipValue() != nil {
				break
			}
			continue
		}
		token, err := s.json.ReadToken()
		if err != nil {
			break
		}
		if key == "id" {
			id = token.String()
		} else {
			kind = token.String()
		}
	}
	return kind, id
}

// kindOf is head where the id is not needed: it reads no further than the type.
func kindOf(text []byte) string {
	s := scanOf(text)
	defer s.letGo()
	if s.json.PeekKind() != '{' {
		return ""
	}
	if _, err := s.json.ReadToken(); err != nil {
		return ""
	}
	for {
		key, more, err := s.key()
		if err != nil || !more {
			return ""
		}
		if key == "resourceType" && s.json.PeekKind() == '"' {
			token, err := s.json.ReadToken()
			if err != nil {
				return ""
			}
			return known(token.String())
		}
		if s.json.SkipValue() != nil {
			return ""
		}
	}
}

// measure counts how many objects and arrays lie in each other, and about how many values there are in all. Where the text is no
// JSON both are guesses.
func measure(text []byte) (depth, values int) {
	now := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringLength(text[i+1:]) + 1
		case '{', '[':
			now++
			values++
			depth = max(depth, now)
		case '}', ']':
			now--
		case ',':
			values++
		}
	}
	return depth, values
}

// stringLength is where the string ends whose quote stands before text.
func stringLength(text []byte) int {
	for from := 0; ; {
		n := bytes.IndexByte(text[from:], '"')
		if n < 0 {
			return len(text)
		}
		slashes := 0
		for from+n-slashes > 0 && text[from+n-slashes-1] == '\\' {
			slashes++
		}
		from += n
		if slashes%2 == 0 {
			return from
		}
		from++
	}
}

// judgeText decides whether text can be a resource at all.
func judgeText(text []byte) *admit.Problem {
	if len(text) > MaxBytes {
		return bad(string(event.TooLarge), whole, "must have at most 1,048,576 bytes")
	}
	if !utf8.Valid(text) {
		return bad(string(event.NotUTF8), whole, "must be UTF-8")
	}
	depth, values := measure(text)
	if depth > MaxDepth {
		return bad(string(event.TooDeep), whole, "must nest at most 32 objects and arrays")
	}
	if values > MaxValues {
		return bad(string(event.TooLarge), whole, "must hold at most 10,000 values")
	}
	return nil
}

// The resource types that are known here. Those beside the first three go with a record and are none themselves.
var kinds = func() map[string]string {
	m := make(map[string]string)
	for name := range strings.FieldsSeq(`Bundle Immunization Observation
		Patient Practitioner PractitionerRole Organization OrganizationAffiliation Location HealthcareService RelatedPerson Person Group
		Encounter EpisodeOfCare Appointment Device Medication Provenance MessageHeader OperationOutcome Parameters`) {
		m[name] = name
	}
	return m
}()

// known is the type if it is one of those, and otherwise empty: what stands there may be anything.
func known(kind string) string { return kinds[kind] }
