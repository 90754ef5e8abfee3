// Package fhir reads HL7 FHIR R4 (4.0.1) JSON, Immunization and Observation, alone, in a Bundle or one a line, and says in our
// terms what each resource says; and it writes the OperationOutcome that answers. It does no input or output but read the
// reader that it is given, and never repeats a value in what it finds wrong.
//
// Its structs are its own: the Go model best known (samply/golang-fhir-models) has no occurrence[x], no doseNumber[x] and no
// contained, decodes by encoding/json, which takes a key twice or in capitals and broken characters without a word, and is not to be
// had from the module proxy used here. The few elements that are read are decoded by go-json-experiment, as events are, which
// names the exact place of what is wrong.
//
// # Which record, and which version of it
//
// A record is (Source, Record). They come from the business identifier, Immunization.identifier or Observation.identifier:
// Source is its system and Record its value, exactly as written, so that a record is one record whichever system sends it,
// however often, and whether it comes as FHIR or in an NHS batch file (UNIQUE_ID_URI, UNIQUE_ID). Of several identifiers the one
// with use "official" is taken, then "usual" or none, then "secondary"; "temp" and "old" do not name a record. Two of the
// same rank are refused, since a version that lists them in another order would be another record. The system
// urn:ietf:rfc:3986 (the value is a URI itself) is nobody's, so there Source is [Options.Source]. Without an identifier Source is
// [Options.Source] and Record is "Immunization/" or "Observation/" and the resource's id, which must never change then.
//
// A version's time is meta.lastUpdated; else when the Bundle or the transfer was made by its sender ([Options.Time]); else
// recorded (Immunization) or issued (Observation). The clock of receipt is never taken: it would make an old version
// that is sent again the newest one. A date alone is its first moment in London, as in CSV. In a history Bundle, where
// versions of one record stand side by side, the Bundle's own time tells them not apart: there
// it is meta.lastUpdated or entry.response.lastModified.
package fhir

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"time"

	"gapwatch/services/internal/admit"
)

// Limits of one resource, and how many entries a Bundle may have; how large it may be is its reader's.
const (
	MaxBytes   = 1 << 20 // 1,048,576
	MaxDepth   = 32      // objects and arrays in each other
	MaxValues  = 10_000  // objects, arrays, texts and so on in all; a long record has a few hundred
	MaxEntries = 50_000
)

// Options say what a resource does not say itself.
type Options struct {
	// Source is the sender's own URI, for records that have no business identifier with an owner.
	Source string
	// Time is when the transfer was made, as its sender says; zero if it does not say. A Bundle's own time goes before it.
	Time time.Time
}

// Item is what came of one resource: exactly one of Submission, Problem and Skip holds.
type Item struct {
	// Index is where the resource stands: the entry of the Bundle, or the line, from 0. Empty lines count.
	Index int
	// Type is the resource's type if it is one that is known here, for the answer; empty otherwise.
	Type string
	// Submission is what the resource says. If there is a Problem, only Source and Record are filled in, if they could be read.
	Submission admit.Submission
	// Problem is why the resource cannot be taken, nil if it can as far as its form goes. Its Field is a path within the
	// resource ("protocolApplied[0].doseNumberPositiveInt") or, if it begins with "Bundle.", within the Bundle.
	Problem *admit.Problem
	// Skip: the resource is none that counts, a Patient for instance.
	Skip bool
}

// Decode reads one resource. If skip is true it is none that counts (a Patient, say), and nothing is wrong with it. Where
// there is a problem, sub has Source and Record if they could be read, and nothing else. sub keeps no reference to resource.
func Decode(resource []byte, o Options) (sub admit.Submission, problem *admit.Problem, skip bool) {
	r := reader{o: o}
	_, sub, problem, skip = r.read(resource)
	return sub, problem, skip
}

// Kind is the resourceType of a body if it is one that is known here; nothing else of the body is judged.
func Kind(body []byte) string { return kindOf(bytes.TrimPrefix(body, byteOrderMark)) }

// Bundle reads a Bundle and gives its type and its entries, in order; the problem is one of the Bundle as a whole, of which
// nothing is taken then. It keeps body, and a list of the entries beside it, until the last entry was read.
func Bundle(body []byte, o Options) (kind string, entries iter.Seq[Item], problem *admit.Problem) {
	b, problem := openBundle(body, o)
	if problem != nil {
		return "", nil, problem
	}
	return b.kind, b.items(o), nil
}

// Lines reads NDJSON, one resource a line of at most [MaxBytes], keeping one line at a time. A line that is too long is a
// Problem, and the next is read. The error is the reader's own and ends it; a line that it cut off is not among the items.
func Lines(r io.Reader, o Options) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		lines := bufio.NewReaderSize(r, 64<<10)
		var kept []byte
		for n := 0; ; n++ {
			line, long, err := readLine(lines, &kept)
			// A wrapped EOF is not the end but a fault on the way there.
			end := err == io.EOF //nolint:errorlint // see above
			if err != nil && !end {
				yield(Item{Index: n}, err)
				return
			}
			line = bytes.TrimRight(line, " \t\r\n")
			if n == 0 {
				line = bytes.TrimPrefix(line, byteOrderMark)
			}
			if len(line) > 0 {
				item := Item{Index: n}
				if long {
					item.Problem = judgeText(line)
				} else {
					r := reader{o: o}
					item.Type, item.Submission, item.Problem, item.Skip = r.read(line)
				}
				if !yield(item, nil) {
					return
				}
			}
			if end {
				return
			}
		}
	}
}

// readLine reads a line into kept, or gives it as it lies in the reader. Of one that is longer than [MaxBytes] it keeps one
// byte more than that.
func readLine(r *bufio.Reader, kept *[]byte) (line []byte, long bool, err error) {
	line, err = r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, false, err
	}
	*kept = append((*kept)[:0], line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.ReadSlice('\n')
		room := MaxBytes + 1 + len("\r\n") - len(*kept)
		*kept = append(*kept, line[:min(max(room, 0), len(line))]...)
	}
	return *kept, len(bytes.TrimRight(*kept, " \t\r\n")) > MaxBytes, err
}
