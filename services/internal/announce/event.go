package announce

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"gapwatch/schemas"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/verdict"
)

// Type is the CloudEvents type of a change of verdict.
const Type = "uk.nhs.prevention.gap.v1"

// SmallNumbers is why sentence and figures of a change are withheld: with them somebody could work out how many of a
// handful of people are covered.
const SmallNumbers = "small numbers"

// Event is a change of verdict as it is published: a CloudEvent 1.0, described by schemas/events/gap.v1.schema.json.
type Event struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`     // programme/season/geography/n
	Source          string    `json:"source"` // URI of the deployment
	Type            string    `json:"type"`
	Subject         string    `json:"subject"` // code of the geography
	Time            time.Time `json:"time"`    // when it was decided
	DataContentType string    `json:"datacontenttype"`
	Data            Data      `json:"data"`
}

// Data is what has changed where, and why.
type Data struct {
	Programme string          `json:"programme"`
	Season    string          `json:"season"`
	Level     string          `json:"level"`     // place, system, region, england or published series
	Geography string          `json:"geography"` // code
	Name      string          `json:"name"`
	N         uint32          `json:"n"` // first change of this programme, season and geography is 1
	Verdict   verdict.Verdict `json:"verdict"`
	Previous  verdict.Verdict `json:"previous"`
	Day       string          `json:"day"`    // last complete day
	Fifths    string          `json:"fifths"` // national or local

	// Comparator and Against (the day compared with) are left out together.
	Comparator verdict.Comparator `json:"comparator,omitempty"`
	Against    string             `json:"against,omitempty"`

	// Sentence and Figures are left out where they may not be shown; Withheld then says why.
	Sentence string   `json:"sentence,omitempty"`
	Figures  *Figures `json:"figures,omitempty"`
	Withheld string   `json:"withheld,omitempty"`
}

// Figures are fractions of 1, rounded to 0.001 as the sentence's are to 0.1 point. What was not computed is left out.
// Gap, change and SII are positive as in package verdict.
type Figures struct {
	Gap      *float64  `json:"gap,omitempty"`
	Change   *float64  `json:"change,omitempty"`
	Interval *Interval `json:"interval,omitempty"` // of Change
	SII      *float64  `json:"sii,omitempty"`
}

// Interval is from Low to High, fractions of 1.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// row is one of prevention.verdict_log.
type row struct {
	eventID                         string
	programme, season, level, code  string
	name                            string
	n                               uint32
	verdict, previous               string
	day                             calendar.Day
	decidedAt                       time.Time
	fifths, comparator              string
	against                         calendar.Day // meaningful with a comparator
	sentence                        string
	shown                           bool
	gap, change, low, high, slopeII *float64
}

// event is the row as it is published.
func (r *row) event(source string) Event {
	d := Data{
		Programme: r.programme, Season: r.season, Level: r.level, Geography: r.code, Name: cmp.Or(r.name, r.code), N: r.n,
		Verdict: verdict.Verdict(r.verdict), Previous: verdict.State{InForce: verdict.Verdict(r.previous)}.Verdict(),
		Day: r.day.String(), Fifths: r.fifths,
	}
	if r.comparator != "" {
		d.Comparator, d.Against = verdict.Comparator(r.comparator), r.against.String()
	}
	if r.shown {
		d.Sentence, d.Figures = r.sentence, r.figures()
	} else {
		d.Withheld = SmallNumbers
	}
	return Event{SpecVersion: "1.0", ID: r.eventID, Source: source, Type: Type, Subject: r.code, Time: r.decidedAt.UTC(),
		DataContentType: "application/json", Data: d}
}

// figures are those of the row, nil if it has none.
func (r *row) figures() *Figures {
	f := Figures{Gap: rounded(r.gap), SII: rounded(r.slopeII)}
	if low, high := rounded(r.low), rounded(r.high); r.change != nil && low != nil && high != nil {
		f.Change, f.Interval = rounded(r.change), &Interval{*low, *high}
	}
	if f == (Figures{}) {
		return nil
	}
	return &f
}

// rounded is a fraction of 1 rounded to 0.001, exactly as [verdict.Finding.Sentence] rounds it: the sentence and the
// figures of one event must not differ.
func rounded(f *float64) *float64 {
	if f == nil || math.IsNaN(*f) || math.IsInf(*f, 0) {
		return f // refused when it is written as JSON
	}
	thousandths, err := strconv.ParseFloat(strings.Replace(strconv.FormatFloat(*f*100, 'f', 1, 64), ".", "", 1), 64)
	if err != nil {
		return f // not reached: FormatFloat wrote it
	}
	thousandths /= 1000
	if thousandths == 0 {
		thousandths = 0 // and not -0
	}
	return &thousandths
}

// message is the row ready to be published. An error says which rule of the schema the row breaks: a defect of
// whoever wrote it, which no second try mends.
func (r *row) message(source string) (*nats.Msg, error) {
	if id := fmt.Sprintf("%s/%s/%s/%d", r.programme, r.season, r.code, r.n); r.eventID != id {
		return nil, fmt.Errorf("event_id is not %q, which programme, season, geography and n make", id)
	}
	data, err := json.Marshal(r.event(source))
	if err != nil {
		return nil, err
	}
	schema, err := contract()
	if err != nil {
		return nil, err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if err := schema.Validate(value); err != nil {
		return nil, err
	}
	return stream.Message(stream.GapPrefix+r.programme, r.eventID, data), nil
}

// contract is the published schema. Nothing leaves that it does not allow.
var contract = sync.OnceValues(func() (*jsonschema.Schema, error) {
	const at = "https://gapwatch.invalid/schemas/events/" // never asked: both files are here
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	for _, name := range []string{"common.v1.schema.json", "gap.v1.schema.json"} {
		data, err := schemas.Files.ReadFile(path.Join("events", name))
		if err != nil {
			return nil, err
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := compiler.AddResource(at+name, value); err != nil {
			return nil, err
		}
	}
	return compiler.Compile(at + "gap.v1.schema.json")
})
