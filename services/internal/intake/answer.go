package intake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/fhir"
)

// outcome is what became of an item.
type outcome string

const (
	accepted    outcome = "accepted"     // it is stored
	duplicate   outcome = "duplicate"    // it was stored a short time ago, as it is
	noProgramme outcome = "no programme" // it is in order and counts for nothing here
	skipped     outcome = "skipped"      // it is no record: a Patient in a Bundle
	rejected    outcome = "rejected"     // it can never be taken as it is
)

// result is what the answer says of one item.
type result struct {
	item    item // without what it says
	outcome outcome
	record  string
	why     string
	problem *admit.Problem
}

// counts is the summary of an answer.
type counts struct {
	Items       uint64 `json:"items"`
	Accepted    uint64 `json:"accepted"`
	Duplicates  uint64 `json:"duplicates"`
	NoProgramme uint64 `json:"noProgramme"`
	Skipped     uint64 `json:"skipped,omitempty"`
	Rejected    uint64 `json:"rejected"`
	NotListed   uint64 `json:"notListed,omitempty"` // items that results leave out: see maxListed and maxAnswer

	notAllowed uint64
}

func (c *counts) add(r *result) {
	c.Items++
	switch r.outcome {
	case accepted:
		c.Accepted++
	case duplicate:
		c.Duplicates++
	case noProgramme:
		c.NoProgramme++
	case skipped:
		c.Skipped++
	case rejected:
		c.Rejected++
		if r.problem.Reason == admit.NotAllowed {
			c.notAllowed++
		}
	}
}

// maxAnswer is how many bytes of an answer are kept. Beyond it only rejected items are listed, of which there is a limit, too:
// a few bytes make an item, and disks have an end.
const maxAnswer = 64 << 20

// answer collects what is said of each item. Until finish nothing of it is sent.
type answer interface {
	// add tells whether the item is in the answer as far as it is asked for; false means that the answer is full.
	add(r *result) bool
	// finish sends it; problem is nil where the request was taken.
	finish(w http.ResponseWriter, request string, c *counts, problem *Problem) error
	close() error
}

// jsonAnswer is the answer to events and files: one object with a list of results.
type jsonAnswer struct {
	results spool
	some    bool
	brief   bool // only what was not simply taken
	line    []byte
}

func (a *jsonAnswer) add(r *result) bool {
	if a.brief && (r.outcome == accepted || r.outcome == duplicate) && r.why == "" {
		return true
	}
	if a.results.size > maxAnswer && r.outcome != rejected {
		return false
	}
	b := a.line[:0]
	if a.some {
		b = append(b, ',')
	}
	a.some = true
	b = append(b, "\n{\"item\":"...)
	b = strconv.AppendUint(b, r.item.number, 10)
	b = appendText(b, ",\"outcome\":", string(r.outcome))
	b = appendText(b, ",\"record\":", r.record)
	b = appendText(b, ",\"why\":", r.why)
	if r.problem != nil {
		b = appendText(b, ",\"reason\":", r.problem.Reason)
		b = appendText(b, ",\"field\":", r.problem.Field)
		b = appendText(b, ",\"rule\":", r.problem.Rule)
	}
	b = append(b, '}')
	a.results.write(b)
	a.line = b
	return true
}

func appendText(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, key...)
	b, _ = jsontext.AppendQuote(b, value) // what is not UTF-8 becomes the replacement character
	return b
}

func (a *jsonAnswer) finish(w http.ResponseWriter, request string, c *counts, problem *Problem) error {
	if a.results.err != nil {
		return a.results.err
	}
	var head any = struct {
		Request string `json:"request"`
		counts
	}{request, *c}
	status, media := http.StatusAccepted, mediaJSON
	if problem != nil {
		said := *problem
		said.Request = request
		problem.head(w)
		status, media = problem.Status, mediaProblem
		head = struct {
			Problem
			counts
		}{said, *c}
	}
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	if _, err := w.Write(append(text[:len(text)-1], `,"results":[`...)); err != nil {
		return err
	}
	if err := a.results.copyTo(w); err != nil {
		return err
	}
	_, err = io.WriteString(w, "]}\n")
	return err
}

func (a *jsonAnswer) close() error { return a.results.close() }

// outcomeAnswer is the answer to a resource or a Bundle: an OperationOutcome with an issue for each entry; to a batch or
// transaction that was taken a Bundle, as FHIR has it.
type outcomeAnswer struct {
	answers  []fhir.Answer
	response string // see [item]
	brief    bool
}

func (a *outcomeAnswer) add(r *result) bool {
	a.response = r.item.response
	if answer := inFHIR(r); !a.brief || a.response != "" || !answer.Simple() {
		a.answers = append(a.answers, answer)
	}
	return true // a Bundle has not that many entries
}

func (a *outcomeAnswer) finish(w http.ResponseWriter, _ string, _ *counts, problem *Problem) error {
	status := http.StatusAccepted
	if problem != nil {
		problem.head(w)
		status = problem.Status
	}
	w.Header().Set("Content-Type", mediaFHIR)
	w.WriteHeader(status)
	var text []byte
	if a.response != "" && problem == nil {
		text = fhir.AppendResponse(nil, a.response, a.brief, a.answers...)
	} else {
		text = fhir.AppendOutcome(nil, a.answers...)
	}
	_, err := w.Write(text)
	return err
}

func (a *outcomeAnswer) close() error { return nil }

// linesAnswer is the answer to resources one a line: an OperationOutcome for each, one a line.
type linesAnswer struct {
	results spool
	brief   bool
	line    []byte
}

func (a *linesAnswer) add(r *result) bool {
	answer := inFHIR(r)
	if a.brief && answer.Simple() {
		return true
	}
	if a.results.size > maxAnswer && r.outcome != rejected {
		return false
	}
	a.line = append(fhir.AppendOutcome(a.line[:0], answer), '\n')
	a.results.write(a.line)
	return true
}

func (a *linesAnswer) finish(w http.ResponseWriter, _ string, c *counts, problem *Problem) error {
	if a.results.err != nil {
		return a.results.err
	}
	if c.NotListed > 0 {
		text := fmt.Sprintf("%d items are not listed here. Of %d in all: %d accepted, %d duplicates, %d no programme, %d skipped, %d rejected.",
			c.NotListed, c.Items, c.Accepted, c.Duplicates, c.NoProgramme, c.Skipped, c.Rejected)
		a.results.write(append(fhir.AppendProblem(nil, "informational", text), '\n'))
		if a.results.err != nil {
			return a.results.err
		}
	}
	status := http.StatusAccepted
	if problem != nil {
		problem.head(w)
		status = problem.Status
	}
	w.Header().Set("Content-Type", mediaFHIRLines)
	w.WriteHeader(status)
	if err := a.results.copyTo(w); err != nil || problem == nil || problem.Type == problemRejected.Type || problem.Type == problemScope.Type {
		return err
	}
	_, err := w.Write(append(fhir.AppendProblem(nil, problem.issue, problem.Title+". "+problem.Detail), '\n'))
	return err
}

func (a *linesAnswer) close() error { return a.results.close() }

var verdicts = map[outcome]fhir.Verdict{accepted: fhir.Accepted, duplicate: fhir.Duplicate, noProgramme: fhir.NoProgramme, skipped: fhir.Skipped, rejected: fhir.Rejected}

func inFHIR(r *result) fhir.Answer {
	return fhir.Answer{Index: int(max(r.item.number, 1)) - 1, InBundle: r.item.inBundle, Type: r.item.typ, Verdict: verdicts[r.outcome],
		Record: r.record, Why: r.why, Problem: r.problem}
}

// writePart is how many bytes of an answer must be taken in one time for writing.
const writePart = 64 << 10

// patient gives each part of an answer its own time.
type patient struct {
	http.ResponseWriter
	ctl    *http.ResponseController
	time   time.Duration
	status int
}

func (p *patient) WriteHeader(status int) {
	if p.status == 0 {
		p.status = status
	}
	p.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] find the connection.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *patient) Write(b []byte) (written int, err error) {
	if p.status == 0 {
		p.status = http.StatusOK
	}
	for {
		if err := p.ctl.SetWriteDeadline(time.Now().Add(p.time)); err != nil {
			return written, err
		}
		n, err := p.ResponseWriter.Write(b[written:min(len(b), written+writePart)])
		if written += n; err != nil || written == len(b) {
			return written, err
		}
	}
}
