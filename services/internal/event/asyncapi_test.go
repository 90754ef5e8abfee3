package event_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"gapwatch/services/internal/announce"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/stream"
)

// document is the part of AsyncAPI 3 that is used. Keys that are not named here are refused.
type document struct {
	AsyncAPI           string `yaml:"asyncapi"`
	Info               map[string]any
	DefaultContentType string `yaml:"defaultContentType"`
	Servers            map[string]any
	Channels           map[string]struct {
		Address, Title, Description string
		Parameters                  map[string]ref
		Messages                    map[string]ref
		Stream                      string `yaml:"x-stream"`
		StreamSubjects              string `yaml:"x-stream-subjects"`
	}
	Operations map[string]struct {
		Action, Summary string
		Channel         ref
		Messages        []ref
	}
	Components struct {
		Parameters map[string]struct {
			Description string
			Examples    []string
		}
		Messages map[string]struct {
			Name, Title string
			ContentType string `yaml:"contentType"`
			Headers     ref
			Payload     struct {
				SchemaFormat string `yaml:"schemaFormat"`
				Schema       ref
			}
		}
		Schemas map[string]struct {
			Type       string
			Required   []string
			Properties map[string]any
		}
	}
}

type ref struct {
	Ref         string `yaml:"$ref"`
	Description string
	Examples    []string
}

func asyncAPI(t *testing.T) (document, map[string]any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(schemaFolder, "../asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := yaml.Load(data, &doc, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := yaml.Load(data, &whole); err != nil {
		t.Fatal(err)
	}
	return doc, whole
}

// Every $ref leads somewhere: into the document or to a schema beside it.
func TestReferencesResolve(t *testing.T) {
	doc, whole := asyncAPI(t)
	if doc.AsyncAPI != "3.0.0" {
		t.Errorf("version %s", doc.AsyncAPI)
	}
	count := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			for key, value := range v {
				if at, ok := value.(string); key == "$ref" && ok {
					count++
					resolve(t, whole, at)
					continue
				}
				walk(value)
			}
		}
	}
	walk(whole)
	if count < 15 {
		t.Errorf("only %d references", count)
	}
}

func resolve(t *testing.T, whole map[string]any, at string) {
	t.Helper()
	pointer, inside := strings.CutPrefix(at, "#/")
	if !inside {
		if _, err := os.Stat(filepath.Join(schemaFolder, "..", at)); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		return
	}
	var now any = whole
	for _, key := range strings.Split(pointer, "/") {
		o, ok := now.(map[string]any)
		if !ok || o[key] == nil {
			t.Errorf("%s leads nowhere", at)
			return
		}
		now = o[key]
	}
}

// Subjects, streams, headers and messages are those of the code.
func TestSubjectsAreThoseOfTheCode(t *testing.T) {
	doc, _ := asyncAPI(t)
	subjectOf := func(typ string) string { return event.Subject(&event.Event{Type: typ, Programme: "{programme}"}) }
	for channel, want := range map[string]struct{ address, stream, subjects, message, operation, action, schema, name string }{
		"vaccinations": {subjectOf(event.TypeVaccination), stream.Events, stream.EventSubjects, "vaccination", "takeVaccination", "receive", "vaccination.v1", event.TypeVaccination},
		"healthChecks": {subjectOf(event.TypeHealthCheck), stream.Events, stream.EventSubjects, "healthCheck", "takeHealthCheck", "receive", "health-check.v1", event.TypeHealthCheck},
		"deadLetters":  {stream.DeadLetterPrefix + "{sender}.{reason}", stream.DeadLetters, stream.DeadLetterSubjects, "deadLetter", "writeDeadLetter", "send", "dead-letter.v1", "dead-letter.v1"},
		"rejections":   {rejection.Subject("{sender}"), stream.Rejections, stream.RejectionSubjects, "rejection", "tellSender", "send", "rejection.v1", "rejection.v1"},
		"verdicts":     {stream.GapPrefix + "{programme}", stream.Gap, stream.GapSubjects, "verdict", "announceVerdict", "send", "gap.v1", announce.Type},
	} {
		c := doc.Channels[channel]
		if c.Address != want.address || c.Stream != want.stream || c.StreamSubjects != want.subjects {
			t.Errorf("%s: %+v", channel, c)
		}
		if !strings.HasPrefix(want.address, strings.TrimSuffix(want.subjects, ">")) {
			t.Errorf("%s is not in its stream", want.address)
		}
		if len(c.Messages) != 1 || c.Messages[want.message].Ref != "#/components/messages/"+want.message {
			t.Errorf("%s has the messages %v", channel, c.Messages)
		}
		o := doc.Operations[want.operation]
		if o.Action != want.action || o.Channel.Ref != "#/channels/"+channel || len(o.Messages) != 1 || o.Messages[0].Ref != o.Channel.Ref+"/messages/"+want.message {
			t.Errorf("%s: %+v", want.operation, o)
		}
		m := doc.Components.Messages[want.message]
		if m.Name != want.name || m.Payload.Schema.Ref != "./events/"+want.schema+".schema.json" || m.Payload.SchemaFormat != "application/schema+json;version=draft-2020-12" {
			t.Errorf("%s: %+v", want.message, m)
		}
		contentType, required := event.ContentType, []string{event.HeaderMsgID}
		if channel == "deadLetters" || channel == "rejections" {
			contentType = "application/json"
		}
		if channel == "rejections" { // only the collector's have an id
			required = nil
		}
		if m.ContentType != contentType {
			t.Errorf("%s has content type %s", want.message, m.ContentType)
		}
		headers := doc.Components.Schemas[strings.TrimPrefix(m.Headers.Ref, "#/components/schemas/")]
		if !slices.Equal(headers.Required, required) || event.HeaderMsgID != jetstream.MsgIDHeader || headers.Properties[event.HeaderMsgID] == nil {
			t.Errorf("%s needs the headers %v", want.message, headers.Required)
		}
	}
	headers := doc.Components.Schemas["eventHeaders"].Properties
	if headers[stream.HeaderSender] == nil || headers[stream.HeaderRequest] == nil || len(headers) != 3 {
		t.Errorf("events have the headers %v", slices.Sorted(maps.Keys(headers)))
	}
	if len(doc.Channels) != 5 || len(doc.Operations) != 5 || len(doc.Components.Messages) != 5 {
		t.Errorf("%d channels, %d operations, %d messages", len(doc.Channels), len(doc.Operations), len(doc.Components.Messages))
	}
}

func TestProgrammesAreThoseOfTheFile(t *testing.T) {
	doc, _ := asyncAPI(t)
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, p := range set.Programmes {
		ids = append(ids, p.ID)
	}
	if got := doc.Components.Parameters["programme"].Examples; !slices.Equal(got, ids) {
		t.Errorf("the document names %v, the file %v", got, ids)
	}
}

// schema is the part of a JSON Schema that is looked at here.
type schema struct {
	Schema     string `json:"$schema"`
	Required   []string
	Properties map[string]schema
	Const      any
	Enum       []any
	Defs       map[string]schema `json:"$defs"`
}

func readSchema(t *testing.T, name string) schema {
	t.Helper()
	file := filepath.Join(schemaFolder, name)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if _, err := compiler.Compile(file); err != nil {
		t.Error(err) // checked against the meta-schema too
	}
	if s.Schema != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("%s is of %s", name, s.Schema)
	}
	return s
}

// Every field of the schemas is known to the decoder, and what one requires the other does.
func TestFieldsAreThoseOfTheDecoder(t *testing.T) {
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	common := readSchema(t, "common.v1.schema.json")
	for name, typ := range map[string]string{"vaccination": event.TypeVaccination, "health-check": event.TypeHealthCheck} {
		own := readSchema(t, name+".v1.schema.json")
		if own.Properties["type"].Const != typ {
			t.Errorf("%s is of type %v", name, own.Properties["type"].Const)
		}
		example, err := os.ReadFile(filepath.Join(schemaFolder, "examples/valid", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var base struct {
			Time time.Time
			Data struct{ Programme string }
		}
		if err := json.Unmarshal(example, &base); err != nil {
			t.Fatal(err)
		}
		decoder := &event.Decoder{Programmes: set, Now: func() time.Time { return base.Time }}
		subject := event.Subject(&event.Event{Type: typ, Programme: base.Data.Programme})
		decode := func(inData bool, key string, value any) *event.Rejection {
			var o map[string]any
			if err := json.Unmarshal(example, &o); err != nil {
				t.Fatal(err)
			}
			at := o
			if inData {
				at = o["data"].(map[string]any)
			}
			at[key] = value
			payload, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			_, rejection := decoder.Decode(subject, payload)
			return rejection
		}
		check := func(inData bool, prefix string, properties map[string]schema, required []string) {
			for key := range properties {
				field := prefix + key
				if r := decode(inData, key, map[string]any{"no": "such value"}); key != "data" && (r == nil || r.Field != field) {
					t.Errorf("%s: the decoder does not know %s: %+v", name, field, r)
				}
				r := decode(inData, key, nil)
				if needed := slices.Contains(required, key); needed != (r != nil) || r != nil && r.Field != field {
					t.Errorf("%s: %s is required by the schema: %v; the decoder says %+v", name, field, needed, r)
				}
			}
		}
		attributes, data := common.Defs["attributes"], common.Defs["data"]
		check(false, "", attributes.Properties, attributes.Required)
		fields := maps.Clone(data.Properties)
		maps.Copy(fields, own.Properties["data"].Properties) // dose
		if len(fields) != len(data.Properties)+1 {
			t.Errorf("%s has the fields %v", name, slices.Sorted(maps.Keys(fields)))
		}
		check(true, "data.", fields, data.Required)
	}
}

// The dead letter is the one the collector writes, with every reason there is.
func TestDeadLetterIsTheCollectors(t *testing.T) {
	letter := readSchema(t, "dead-letter.v1.schema.json")
	fieldsOf[collect.Letter](t, letter)
	var reasons []event.Reason
	for _, reason := range letter.Properties["reason"].Enum {
		reasons = append(reasons, event.Reason(reason.(string)))
	}
	if want := append(slices.Clone(event.Reasons), collect.NotStorable); !slices.Equal(reasons, want) {
		t.Errorf("the schema has the reasons %v, the code %v", reasons, want)
	}
}

// The rejection is the one that is written, with every door there is.
func TestRejectionIsTheOneThatIsWritten(t *testing.T) {
	told := readSchema(t, "rejection.v1.schema.json")
	fieldsOf[rejection.Rejection](t, told)
	if want := []any{string(rejection.Events), string(rejection.FHIR), string(rejection.CSV), string(rejection.Collector)}; !slices.Equal(told.Properties["door"].Enum, want) {
		t.Errorf("the schema has the doors %v", told.Properties["door"].Enum)
	}
}

// fieldsOf checks that a schema has the fields of a struct, and requires those that are always written.
func fieldsOf[T any](t *testing.T, s schema) {
	t.Helper()
	var all, required []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		all = append(all, name)
		if option != "omitempty" {
			required = append(required, name)
		}
	}
	if got := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(got, slices.Sorted(slices.Values(all))) {
		t.Errorf("the schema has the fields %v, the code %v", got, all)
	}
	if !slices.Equal(s.Required, required) {
		t.Errorf("the schema requires %v, the code always writes %v", s.Required, required)
	}
}
