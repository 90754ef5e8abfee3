package announce

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/verdict"
)

const (
	schemaFile = "../../../schemas/events/gap.v1.schema.json"
	examples   = "../../../schemas/events/examples/gap"
)

var update = flag.Bool("update", false, "write the valid examples anew")

// examplesOf are the rows that the valid examples are made of.
func examplesOf() map[string]row {
	widening := change("flu-65", "X07000001", 1)
	widening.previous = "" // none yet
	system := change("flu-65", "X54000001", 2)
	system.level, system.name, system.verdict, system.previous = "system", "Northmoor and the Vale", "narrowing", "widening"
	system.sentence = "Flu 65+ in Northmoor and the Vale: the gap is 3.0 points, 1.2 less than on the same day of last season (0.4 to 2.0)."
	system.gap, system.change, system.low, system.high, system.slopeII = pointer(0.03), pointer(-0.0123), pointer(-0.0199), pointer(-0.0041), nil
	local := change("ld-health-check", "X07000002", 1)
	local.season, local.eventID = "rolling", "ld-health-check/rolling/X07000002/1"
	local.name, local.verdict, local.previous, local.fifths = "Seaholm", "steady", "not enough data", "local"
	local.comparator, local.against = "28 days earlier", calendar.Date(2026, 10, 21)
	local.sentence = "Health check, learning disability in Seaholm: the gap between its own fifths is 0.0 points, steady: 0.1 less than 28 days earlier (interval of the change -0.5 to 0.4)."
	local.gap, local.change, local.low, local.high, local.slopeII = pointer(-0.0004), pointer(-0.0006), pointer(-0.0051), pointer(0.0039), nil
	missing := change("covid-autumn", "E92000001", 3)
	missing.level, missing.name, missing.verdict, missing.previous, missing.comparator, missing.against = "england", "England", "not enough data", "steady", "", 0
	missing.sentence = "COVID-19 autumn in England: the gap is 4.1 points; not enough data for a verdict: overall uptake is 7 %, a first season is judged from 10 % on."
	missing.gap, missing.change, missing.low, missing.high, missing.slopeII = pointer(0.041), nil, nil, nil, nil
	nothing := missing
	nothing.n, nothing.eventID, nothing.gap = 4, "covid-autumn/2026-27/E92000001/4", nil
	nothing.sentence = "COVID-19 autumn in England: not enough data for a verdict: quintile 1 has 80 eligible people, fewer than 100."
	withheld := widening
	withheld.shown = false // sentence and figures stay in the log
	return map[string]row{"widening": widening, "narrowing": system, "steady-local-fifths": local, "not-enough-data": missing,
		"not-enough-data-no-gap": nothing, "withheld": withheld}
}

// The valid examples are what the code makes of a row, to the byte; -update writes them.
func TestExamplesAreWhatIsPublished(t *testing.T) {
	rows := examplesOf()
	files, err := filepath.Glob(filepath.Join(examples, "valid/*.json"))
	if err != nil || len(files) != len(rows) {
		t.Errorf("%d examples for %d rows, %v", len(files), len(rows), err)
	}
	for name, r := range rows {
		msg, err := r.message(DefaultSource)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var want bytes.Buffer
		if err := json.Indent(&want, msg.Data, "", "  "); err != nil {
			t.Fatal(err)
		}
		want.WriteByte('\n')
		file := filepath.Join(examples, "valid", name+".json")
		if *update {
			if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if diff := cmp.Diff(string(got), want.String()); err != nil || diff != "" {
			t.Errorf("%s.json: %v\n%s", name, err, diff)
		}
		if msg.Subject != "prevention.gap."+r.programme || msg.Header.Get("Nats-Msg-Id") != r.eventID {
			t.Errorf("%s: on %s with the headers %v", name, msg.Subject, msg.Header)
		}
	}
}

// The invalid examples are refused for the reason that is said of each, and no other: where, and which keyword of the schema
// (empty: the field must not be there).
func TestInvalidExamplesAreRefused(t *testing.T) {
	schema, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]struct{ At, Keyword string }
	if err := json.Unmarshal(read(t, filepath.Join(examples, "invalid/expectations.json")), &expected); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(examples, "invalid/*.json"))
	if err != nil || len(files) != len(expected)+1 {
		t.Fatalf("%d files for %d expectations, %v", len(files), len(expected), err)
	}
	for name, want := range expected {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(read(t, filepath.Join(examples, "invalid", name))))
		if err != nil {
			t.Fatal(err)
		}
		var refused *jsonschema.ValidationError
		if !errors.As(schema.Validate(value), &refused) {
			t.Errorf("%s: accepted", name)
			continue
		}
		var causes []string
		found := false
		walk(refused, func(leaf *jsonschema.ValidationError) {
			at, keyword := "/"+strings.Join(leaf.InstanceLocation, "/"), strings.Join(leaf.ErrorKind.KeywordPath(), "/")
			causes = append(causes, at+" "+keyword)
			found = found || at == want.At && (keyword == want.Keyword || strings.HasPrefix(keyword, want.Keyword+"/"))
		})
		if !found || len(causes) != 1 {
			t.Errorf("%s: refused because of %v, want only %s %s", name, causes, want.At, want.Keyword)
		}
	}
}

func walk(e *jsonschema.ValidationError, leaf func(*jsonschema.ValidationError)) {
	if len(e.Causes) == 0 {
		leaf(e)
	}
	for _, cause := range e.Causes {
		walk(cause, leaf)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// property is the part of a JSON Schema that is looked at here.
type property struct {
	Schema     string `json:"$schema"`
	Ref        string `json:"$ref"`
	Const      any
	Enum       []any
	Required   []string
	Properties map[string]property
	Defs       map[string]property `json:"$defs"`
	Closed     *bool               `json:"additionalProperties"`
}

// Schema and code have the same fields, require the same ones, and know the same words.
func TestSchemaIsTheCodes(t *testing.T) {
	var s property
	if err := json.Unmarshal(read(t, schemaFile), &s); err != nil {
		t.Fatal(err)
	}
	data := s.Properties["data"]
	figures := data.Properties["figures"]
	fieldsAre(t, "the event", s, reflect.TypeFor[Event]())
	fieldsAre(t, "data", data, reflect.TypeFor[Data]())
	fieldsAre(t, "data.figures", figures, reflect.TypeFor[Figures]())
	fieldsAre(t, "data.figures.interval", figures.Properties["interval"], reflect.TypeFor[Interval]())
	for name, p := range map[string]property{"data": data, "data.figures": figures, "data.figures.interval": figures.Properties["interval"]} {
		if p.Closed == nil || *p.Closed {
			t.Errorf("%s is open to what it does not name", name)
		}
	}
	if s.Schema != "https://json-schema.org/draft/2020-12/schema" || s.Properties["type"].Const != Type {
		t.Errorf("schema %s, type %v", s.Schema, s.Properties["type"].Const)
	}
	words := map[string][2][]any{
		"verdict":    {s.Defs["verdict"].Enum, {string(verdict.Widening), string(verdict.Narrowing), string(verdict.Steady), string(verdict.NotEnoughData)}},
		"comparator": {data.Properties["comparator"].Enum, {string(verdict.LastSeason), string(verdict.DaysEarlier), string(verdict.YearEarlier)}},
		"withheld":   {data.Properties["withheld"].Enum, {SmallNumbers}},
	}
	for name, pair := range words {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s: the schema has %v, the code %v", name, pair[0], pair[1])
		}
	}
	var common struct {
		Defs struct {
			Attributes struct {
				Properties struct{ Source struct{ Pattern string } }
			}
		} `json:"$defs"`
	}
	if err := json.Unmarshal(read(t, filepath.Join(filepath.Dir(schemaFile), "common.v1.schema.json")), &common); err != nil {
		t.Fatal(err)
	}
	if got := common.Defs.Attributes.Properties.Source.Pattern; got != sourceRule.String() {
		t.Errorf("sources: the schema has %s, the code %s", got, sourceRule)
	}
}

// fieldsAre fails the test unless the schema names exactly the fields of the type and requires those that are always written.
func fieldsAre(t *testing.T, what string, s property, typ reflect.Type) {
	t.Helper()
	var all, required []string
	for _, field := range reflect.VisibleFields(typ) {
		name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		all = append(all, name)
		if option != "omitempty" {
			required = append(required, name)
		}
	}
	if got := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(got, slices.Sorted(slices.Values(all))) {
		t.Errorf("%s: the schema has the fields %v, the code %v", what, got, all)
	}
	if !slices.Equal(s.Required, required) {
		t.Errorf("%s: the schema requires %v, the code always writes %v", what, s.Required, required)
	}
}

// Where figures may not be shown, nothing of them leaves: the event is the same whatever they are.
func TestNothingWithheldLeaves(t *testing.T) {
	a, b := change("flu-65", "X07000001", 1), change("flu-65", "X07000001", 1)
	a.shown, b.shown = false, false
	b.sentence, b.gap, b.change, b.low, b.high, b.slopeII = "", nil, nil, nil, nil, nil
	first, err := a.message(DefaultSource)
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.message(DefaultSource)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Data, second.Data) || !bytes.Contains(first.Data, []byte(`"withheld":"small numbers"`)) {
		t.Errorf("%s\n%s", first.Data, second.Data)
	}
}

// Figures are those of the sentence, to the digit: any finer one would tell more than was judged safe.
func TestFiguresAreTheSentences(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pattern := regexp.MustCompile(`the gap is (-?[0-9.]+) points \(SII (-?[0-9.]+)\), (?:steady: )?([0-9.]+) (more|less) than .* \((?:interval of the change )?(-?[0-9.]+) to (-?[0-9.]+)\)`)
	near := func(scale float64) float64 { // ties and near ties are where roundings differ
		v := (random.Float64() - 0.5) * scale
		if random.IntN(2) == 0 {
			v = math.Round(v*2000) / 2000
		}
		return v
	}
	for range 5000 {
		f := verdict.Finding{Verdict: verdict.Widening, GapKnown: true, Gap: near(0.4), Comparator: verdict.LastSeason, Compared: true, Change: near(0.1)}
		f.Low, f.High = f.Change-math.Abs(near(0.05)), f.Change+math.Abs(near(0.05))
		sii := near(0.4)
		r := change("flu-65", "X07000001", 1)
		r.sentence = f.Sentence(verdict.Subject{Programme: "Flu 65+", Geography: "Northmoor", SIIKnown: true, SII: sii})
		r.gap, r.change, r.low, r.high, r.slopeII = &f.Gap, &f.Change, &f.Low, &f.High, &sii
		figures := r.figures()
		said := pattern.FindStringSubmatch(r.sentence)
		if said == nil {
			t.Fatal(r.sentence)
		}
		points := func(v float64) string { return strconv.FormatFloat(v*100, 'f', -1, 64) }
		same := func(text string, v float64) bool {
			n, err := strconv.ParseFloat(text, 64)
			return err == nil && math.Abs(n/100-v) < 1e-12 && v == math.Round(v*1000)/1000 && !(v == 0 && math.Signbit(v))
		}
		moved := *figures.Change
		low, high := figures.Interval.Low, figures.Interval.High
		if said[4] == "less" {
			moved = -moved
			if f.High <= 0 {
				low, high = -high, -low
			}
		}
		if !same(said[1], *figures.Gap) || !same(said[2], *figures.SII) || math.Abs(mustFloat(t, said[3])/100-moved) > 1e-12 ||
			math.Abs(mustFloat(t, said[5])/100-low) > 1e-12 || math.Abs(mustFloat(t, said[6])/100-high) > 1e-12 {
			t.Fatalf("%s\ngap %s, SII %s, change %s (%s to %s)", r.sentence, points(*figures.Gap), points(*figures.SII), points(*figures.Change), points(figures.Interval.Low), points(figures.Interval.High))
		}
		if _, err := r.message(DefaultSource); err != nil {
			t.Fatal(err)
		}
	}
}

func mustFloat(t *testing.T, text string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Two announcers of one deployment write the same bytes.
func TestEventsAreTheSameEverywhere(t *testing.T) {
	for name, r := range examplesOf() {
		first, err := r.message("https://gapwatch.example/icb/QXX")
		if err != nil {
			t.Fatal(err)
		}
		r.decidedAt = r.decidedAt.In(time.FixedZone("BST", 3600))
		second, err := r.message("https://gapwatch.example/icb/QXX")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Data, second.Data) {
			t.Errorf("%s:\n%s\n%s", name, first.Data, second.Data)
		}
	}
}
