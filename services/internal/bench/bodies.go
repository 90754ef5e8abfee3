package bench

import (
	"bufio"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/intake/cloudevent"
)

// Templates of what senders send: the same flu jab in each of the door's languages, as full as real systems fill it in. @person,
// @postcode and @record are of each one alone.
//
//go:embed bodies
var templates embed.FS

// body is a kind of body.
type body struct {
	path, media string
	perRequest  int // items

	template               string // of one item
	before, between, after string
}

// bodies are the kinds of body that are measured. "csv" is our own layout, "csv_nhs" that of the NHS's batch files.
var bodies = map[string]body{
	"cloudevents": {path: "/v1/events", media: "application/cloudevents-batch+json", perRequest: 5000, template: oneLine("event.json"), before: "[", between: ",", after: "]"},
	"fhir":        {path: "/v1/fhir", media: "application/fhir+ndjson", perRequest: 5000, template: oneLine("immunization.json"), between: "\n", after: "\n"},
	"csv":         rows("own.csv"),
	"csv_nhs":     rows("nhs-batch.csv"),
}

// single is one CloudEvent a request.
var single = body{path: "/v1/events", media: "application/cloudevents+json", template: oneLine("event.json")}

// benchSource is the source of all of them; the Immunization has it as the system of its identifier.
const benchSource = "urn:bench:door"

func template(name string) string {
	text, err := templates.ReadFile("bodies/" + name)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func oneLine(name string) string {
	var value json.RawMessage
	if err := json.Unmarshal([]byte(template(name)), &value); err != nil {
		panic(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func rows(name string) body {
	header, row, _ := strings.Cut(template(name), "\n")
	return body{path: "/v1/csv", media: "text/csv; charset=utf-8", perRequest: 5000, template: row, before: header + "\n"}
}

// item is the i-th item.
func (b body) item(i int) string {
	return strings.NewReplacer("@person", nhsNumber(i), "@postcode", postcodeOf(i%knownPostcodes), "@record", fmt.Sprintf("b-%010d", i)).Replace(b.template)
}

// write writes a request's body of the items from one to before another.
func (b body) write(w io.Writer, from, to int) error {
	buffered := bufio.NewWriter(w)
	_, _ = buffered.WriteString(b.before)
	for i := from; i < to; i++ {
		if i > from {
			_, _ = buffered.WriteString(b.between)
		}
		_, _ = buffered.WriteString(b.item(i))
	}
	_, _ = buffered.WriteString(b.after)
	return buffered.Flush() // says the first error of all
}

// decode reads the i-th item as the door does; of CloudEvents only.
func (b body) decode(i int) (admit.Submission, *admit.Problem) {
	return cloudevent.Decode([]byte(b.item(i)))
}

// nhsNumber is one of the block 999, which is for tests and given to nobody. There are some nine hundred thousand; then they come again.
func nhsNumber(i int) string {
	for n := i * 11 / 10 % 1_000_000; ; n = (n + 1) % 1_000_000 {
		digits := fmt.Sprintf("999%06d", n)
		sum := 0
		for at, digit := range digits {
			sum += int(digit-'0') * (10 - at)
		}
		if check := (11 - sum%11) % 11; check < 10 {
			return fmt.Sprint(digits, check)
		}
	}
}

// knownPostcodes is how many the look-up has: a tenth of England's.
const knownPostcodes = 150_000

// postcodeOf is one of an area that there is not.
func postcodeOf(i int) string {
	return fmt.Sprintf("ZZ%d %d%c%c", i/6760, i%10, 'A'+i/10%26, 'A'+i/260%26)
}

// postcodes is a look-up file.
func postcodes() string {
	var text strings.Builder
	text.WriteString("postcode,lsoa\n")
	for i := range knownPostcodes {
		fmt.Fprintf(&text, "%s,X01%06d\n", postcodeOf(i), i/5)
	}
	return text.String()
}
