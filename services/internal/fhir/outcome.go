package fhir

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
)

// Verdict is what became of an item.
type Verdict uint8

// The verdicts.
const (
	Accepted    Verdict = iota + 1 // it is stored
	Duplicate                      // it was stored before, as it is
	NoProgramme                    // it is in order and counts for nothing here
	Skipped                        // no record: a Patient, say
	Rejected                       // it can never be taken as it is
)

// verdicts say how each verdict is written: as a code of [VerdictSystem], as an issue, and as the status of a Bundle's entry.
var verdicts = [...]struct{ code, severity, issue, status, text string }{
	Accepted:    {"accepted", "information", "informational", "202 Accepted", "accepted"},
	Duplicate:   {"duplicate", "information", "duplicate", "200 OK", "was accepted before, as it is"},
	NoProgramme: {"no-programme", "information", "business-rule", "200 OK", "counts for no programme"},
	Skipped:     {"no-record", "information", "informational", "200 OK", "is no record that could count"},
	Rejected:    {"rejected", "error", "processing", "422 Unprocessable Entity", "was rejected"},
}

// VerdictSystem is the code system of issue.details in our answers: accepted, duplicate, no-programme, no-record, rejected.
const VerdictSystem = "urn:gapwatch:verdict"

// Answer is what became of one item.
type Answer struct {
	// Index is [Item.Index]; InBundle says that it is an entry of a Bundle and not a line.
	Index    int
	InBundle bool
	Type     string // [Item.Type]
	Verdict  Verdict
	Record   string         // the record's HMAC, if known
	Why      string         // what the sender should know beside the verdict; no values
	Problem  *admit.Problem // of Rejected
}

// AppendOutcome appends an OperationOutcome with one issue for each answer: what became of a single resource, of a line, or of
// several. No answer at all makes one issue that says so, since an OperationOutcome must have one.
func AppendOutcome(dst []byte, answers ...Answer) []byte {
	if len(answers) == 0 {
		return AppendProblem(dst, "informational", "there was nothing in it")
	}
	dst = append(dst, `{"resourceType":"OperationOutcome","issue":[`...)
	for i := range answers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = answers[i].appendIssue(dst)
	}
	return append(dst, "]}"...)
}

// AppendProblem appends an OperationOutcome about a request as a whole. code is of the value set issue-type: "structure",
// "security", "throttled", "too-costly", "timeout", "transient", "not-supported"...
func AppendProblem(dst []byte, code, text string) []byte {
	severity := "error"
	if code == "informational" {
		severity = "information"
	}
	dst = append(dst, `{"resourceType":"OperationOutcome","issue":[{"severity":"`...)
	dst = append(dst, severity...)
	dst = append(dst, `","code":`...)
	dst = quote(dst, code)
	dst = append(dst, `,"details":{"text":`...)
	dst = quote(dst, text)
	return append(dst, "}}]}"...)
}

// AppendResponse appends the answer to a Bundle of type batch or transaction: a Bundle whose type is that with "-response", with
// an entry for each of the answers, which must be one for each entry and in their order. brief leaves out the outcome of what was
// simply taken: its entry has the status alone.
func AppendResponse(dst []byte, kind string, brief bool, answers ...Answer) []byte {
	dst = append(dst, `{"resourceType":"Bundle","type":`...)
	dst = quote(dst, kind+"-response")
	dst = append(dst, `,"entry":[`...)
	for i := range answers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"response":{"status":"`...)
		dst = append(dst, verdicts[answers[i].Verdict].status...)
		dst = append(dst, '"')
		if !brief || !answers[i].Simple() {
			dst = append(dst, `,"outcome":`...)
			dst = AppendOutcome(dst, answers[i])
		}
		dst = append(dst, "}}"...)
	}
	return append(dst, "]}"...)
}

// Simple tells whether there is nothing to say but that it is taken.
func (a *Answer) Simple() bool {
	return (a.Verdict == Accepted || a.Verdict == Duplicate) && a.Why == ""
}

// appendIssue appends one issue. It holds the place, the rule, and the record's HMAC; nothing of the item.
func (a *Answer) appendIssue(dst []byte) []byte {
	v := &verdicts[a.Verdict]
	code, text := v.issue, v.text
	if p := a.Problem; p != nil {
		code, text = issueCode(p), p.Field+" "+p.Rule
		if p.Field == whole {
			text = "the resource " + p.Rule
		}
	} else if a.Why != "" {
		text += ": " + a.Why
	}
	dst = append(dst, `{"severity":"`...)
	dst = append(dst, v.severity...)
	dst = append(dst, `","code":"`...)
	dst = append(dst, code...)
	dst = append(dst, `","details":{"coding":[{"system":"`+VerdictSystem+`","code":"`...)
	dst = append(dst, v.code...)
	dst = append(dst, `"}],"text":`...)
	dst = quote(dst, text)
	dst = append(dst, `},"diagnostics":"`...)
	if a.InBundle {
		dst = append(dst, "entry "...)
	} else {
		dst = append(dst, "item "...)
	}
	dst = strconv.AppendInt(dst, int64(a.Index)+1, 10) // from 1, as everywhere but in FHIRPath
	if a.Record != "" {
		dst = append(dst, ", record "...)
		dst = append(dst, a.Record...)
	}
	dst = append(dst, '"')
	if x := a.expression(); x != "" {
		dst = append(dst, `,"expression":[`...)
		dst = quote(dst, x)
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func quote(dst []byte, text string) []byte {
	dst, _ = jsontext.AppendQuote(dst, text) // the error is broken UTF-8, which is written as U+FFFD
	return dst
}

// expression is the FHIRPath of the element that is wrong.
func (a *Answer) expression() string {
	if a.Problem == nil {
		return ""
	}
	field := elements.Replace(a.Problem.Field)
	if field == "Bundle" || strings.HasPrefix(field, "Bundle.") {
		return field
	}
	at := a.Type
	if a.InBundle {
		at = index("Bundle.entry", a.Index) + ".resource"
	}
	if at == "" {
		return ""
	}
	return below(at, field)
}

// elements writes the elements of a choice of types as FHIRPath names them: by the element, without the type.
var elements = strings.NewReplacer(
	"occurrenceDateTime", "occurrence", "occurrenceString", "occurrence",
	"doseNumberPositiveInt", "doseNumber", "doseNumberString", "doseNumber",
	"effectiveDateTime", "effective", "effectiveInstant", "effective", "effectivePeriod", "effective", "effectiveTiming", "effective",
	"valueQuantity", "value", "valueInteger", "value", "valueCodeableConcept", "value",
)

// issueCode is the code of the value set issue-type that says best what is wrong.
func issueCode(p *admit.Problem) string {
	switch p.Reason {
	case string(event.NotJSON), string(event.NotUTF8), string(event.DuplicateKey), string(event.TooDeep), admit.NotFHIR, admit.OldFHIR:
		return "structure"
	case string(event.TooLarge):
		return "too-long"
	case string(event.MissingField):
		return "required"
	case string(event.UnknownStatus), admit.BadCode, string(event.BadEthnicity):
		return "code-invalid"
	case string(event.NoSeason), string(event.UnknownProgramme), admit.CodesDisagree:
		return "business-rule"
	case admit.NotAllowed:
		return "forbidden"
	case admit.NotSupported:
		if strings.Contains(p.Field, "modifierExtension") {
			return "extension"
		}
		return "not-supported"
	case admit.BadPatient:
		if strings.HasSuffix(p.Field, ".reference") {
			return "not-found"
		}
		return "invariant"
	}
	return "value"
}
