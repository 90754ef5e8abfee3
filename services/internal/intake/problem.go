package intake

import (
	"encoding/json"
	"net/http"
	"strconv"

	"gapwatch/services/internal/fhir"
)

// Problem is why a request as a whole was not taken, as in RFC 9457. It names the rule and never a value.
type Problem struct {
	Type    string `json:"type"`  // urn:gapwatch:problem:<name>
	Title   string `json:"title"` // the same for every problem of the type
	Status  int    `json:"status"`
	Detail  string `json:"detail,omitempty"` // the rule, and what to do
	Request string `json:"request,omitempty"`

	Item   uint64 `json:"item,omitempty"`   // where the one item that it is about stands
	Record string `json:"record,omitempty"` // its record's HMAC
	Reason string `json:"reason,omitempty"`
	Field  string `json:"field,omitempty"`
	Rule   string `json:"rule,omitempty"`

	retryAfter int    // seconds
	issue      string // the code of FHIR's value set issue-type
	headers    map[string]string
}

func kind(status int, name, title, issue, detail string) *Problem {
	return &Problem{Type: "urn:gapwatch:problem:" + name, Title: title, Status: status, Detail: detail, issue: issue}
}

// The problems. What is sent again unchanged meets the same one, but for those with Retry-After.
var (
	problemNoToken = kind(http.StatusUnauthorized, "no-token", "No bearer token", "login",
		"Send the header Authorization: Bearer <token>.").with("WWW-Authenticate", `Bearer realm="gapwatch"`)
	problemToken = kind(http.StatusUnauthorized, "unknown-token", "Unknown bearer token", "login",
		"The token is not one that is live. Ask whoever runs this Gapwatch for a new one.").with("WWW-Authenticate", `Bearer realm="gapwatch", error="invalid_token"`)
	problemScope = kind(http.StatusForbidden, "out-of-scope", "Out of this sender's scope", "forbidden",
		"None of it was taken: this sender may send from its own sources and to its own programmes only.")
	problemPath   = kind(http.StatusNotFound, "no-such-path", "No such path", "not-found", "GET /v1/openapi.yaml says what there is.")
	problemMethod = kind(http.StatusMethodNotAllowed, "method", "Method not allowed", "not-supported", "The header Allow says which methods there are.")
	problemMedia  = kind(http.StatusUnsupportedMediaType, "media-type", "Media type not taken here", "not-supported",
		"The header Accept-Post says which Content-Types are taken here.")
	problemEncoding = kind(http.StatusUnsupportedMediaType, "content-encoding", "Content encoding not taken", "not-supported",
		"Content-Encoding must be gzip, or not there.").with("Accept-Encoding", "gzip")
	problemQuery  = kind(http.StatusBadRequest, "query", "Wrong parameter", "invalid", "")
	problemEmpty  = kind(http.StatusBadRequest, "empty", "Empty body", "structure", "The body must hold something.")
	problemBinary = kind(http.StatusBadRequest, "binary-mode", "Incomplete CloudEvent in binary mode", "structure",
		"Without the header ce-specversion, Content-Type must be application/cloudevents+json or one of the others in Accept-Post.")
	problemSyntax = kind(http.StatusBadRequest, "syntax", "Body is not as its media type says", "structure",
		"The body could not be read to its end. What came before the fault is counted here and was taken; send all of it again once it is repaired.")
	problemCut = kind(http.StatusBadRequest, "cut-off", "Body ended early", "structure",
		"The body ended before its end. What came before may have been taken; send all of it again: nothing is counted twice.")
	problemGzip = kind(http.StatusBadRequest, "gzip", "Body is not gzip", "structure",
		"The body is not the gzip that Content-Encoding says, or was damaged on its way. What came before may have been taken; send all of it again: nothing is counted twice.")
	problemSlow = kind(http.StatusRequestTimeout, "too-slow", "Body came too slowly", "timeout",
		"The body must come faster. What came before may have been taken; send all of it again: nothing is counted twice.")
	problemLarge = kind(http.StatusRequestEntityTooLarge, "too-large", "Body too large", "too-long",
		"The body is larger than this sender's limit. What came before may have been taken; send it in several requests: nothing is counted twice.")
	problemBundle = kind(http.StatusRequestEntityTooLarge, "too-large", "Body too large", "too-long",
		"One resource may have 1 MiB and a Bundle 16 MiB. None of it was taken. NDJSON (application/fhir+ndjson, one resource a line) may be as large as this sender's limit.")
	problemItem = kind(http.StatusRequestEntityTooLarge, "item-too-large", "Item too large", "too-long",
		"An item may have 1,048,576 bytes. What came before it may have been taken, what comes after it was not read.")
	problemRejected = kind(http.StatusUnprocessableEntity, "rejected", "Nothing was taken", "invalid",
		"Each item breaks a rule. Sending it again unchanged cannot help.")
	problemUnreadable = kind(http.StatusUnprocessableEntity, "unreadable", "The file cannot be read on", "structure",
		"What came before the last item here was taken, what comes after it was not read. Send all of it again once it is repaired: nothing is counted twice.")
	problemRate = kind(http.StatusTooManyRequests, "too-many-requests", "Too many requests", "throttled",
		"This sender has used up its requests a second. Several items in one request count as one.")
	problemConcurrent = kind(http.StatusTooManyRequests, "too-many-at-once", "Too many requests at once", "throttled",
		"This sender has as many requests in hand as it may have.").after(1)
	problemBusy = kind(http.StatusServiceUnavailable, "busy", "Busy", "transient",
		"As many requests are in hand as can be. Nothing was taken.").after(1)
	problemAway = kind(http.StatusServiceUnavailable, "no-confirmation", "Not confirmed", "transient",
		"The store of events could not be reached in time. Send all of it again: what has arrived is not counted twice.").after(5)
	problemFull = kind(http.StatusServiceUnavailable, "full", "No room", "transient",
		"The store of events is full. Send all of it again later: what has arrived is not counted twice.").after(60)
	problemFault = kind(http.StatusInternalServerError, "fault", "A fault in Gapwatch", "exception",
		"Send all of it again later: what has arrived is not counted twice.")
)

func (p *Problem) with(header, value string) *Problem {
	p.headers = map[string]string{header: value}
	return p
}

func (p *Problem) after(seconds int) *Problem {
	p.retryAfter = seconds
	return p
}

// saying is the problem with a detail of its own.
func (p *Problem) saying(detail string) *Problem {
	other := *p
	other.Detail = detail
	return &other
}

// about is the problem of a request that brought one item.
func (p *Problem) about(only *result) *Problem {
	other := *p
	other.Item, other.Record = only.item.number, only.record
	if only.problem != nil {
		other.Reason, other.Field, other.Rule = only.problem.Reason, only.problem.Field, only.problem.Rule
	}
	return &other
}

// head writes what stands before the body of an answer.
func (p *Problem) head(w http.ResponseWriter) {
	for name, value := range p.headers {
		w.Header().Set(name, value)
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
}

const (
	mediaProblem = "application/problem+json"
	mediaFHIR    = "application/fhir+json"
)

// write answers with the problem alone: as an OperationOutcome where FHIR is spoken.
func (p *Problem) write(w http.ResponseWriter, request string, asFHIR bool) error {
	p.head(w)
	if asFHIR {
		w.Header().Set("Content-Type", mediaFHIR)
		w.WriteHeader(p.Status)
		_, err := w.Write(fhir.AppendProblem(nil, p.issue, p.Title+". "+p.Detail))
		return err
	}
	said := *p
	said.Request = request
	text, err := json.Marshal(said)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaProblem)
	w.WriteHeader(p.Status)
	_, err = w.Write(append(text, '\n'))
	return err
}

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", mediaJSON)
	_, _ = w.Write(append(text, '\n'))
}
