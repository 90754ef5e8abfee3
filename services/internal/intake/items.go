package intake

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/extract"
	"gapwatch/services/internal/fhir"
	"gapwatch/services/internal/intake/cloudevent"
)

// item is one thing that a request brings.
type item struct {
	number   uint64 // from 1; a row of a file, whose header is row 1
	typ      string // FHIR: the resource's type
	inBundle bool
	sub      admit.Submission
	problem  *admit.Problem // why it cannot be taken, as far as its form goes
	skip     bool           // no record, and nothing is wrong with it
	last     bool           // the problem is one of the file, of which nothing more can be read
	all      bool           // FHIR: one of a transaction, which is taken as a whole or not at all
	response string         // FHIR: the type of its Bundle where that is answered with a Bundle: batch or transaction
}

// items are read one after the other. An error is one of the body and ends them.
type items = iter.Seq2[item, error]

// Media types that are taken.
const (
	mediaEvent      = "application/cloudevents+json"
	mediaEventBatch = "application/cloudevents-batch+json"
	mediaLines      = "application/x-ndjson"
	mediaLinesToo   = "application/ndjson"
	mediaJSON       = "application/json"
	mediaFHIRLines  = "application/fhir+ndjson"
	mediaCSV        = "text/csv"
)

// events reads CloudEvents.
func events(r *http.Request, media string, body io.Reader) (items, *Problem) {
	switch media {
	case mediaEvent:
		return single(body, cloudevent.MaxBytes, cloudevent.Decode), nil
	case mediaEventBatch:
		return elements(body, cloudevent.Decode), nil
	case mediaLines, mediaLinesToo:
		return lines(body, cloudevent.Decode), nil
	case mediaJSON: // binary mode: the attributes are in the header
		if r.Header.Get("Ce-Specversion") == "" {
			return nil, problemBinary
		}
		attribute := func(name string) string { return attribute(r.Header.Get("Ce-" + name)) }
		return single(body, cloudevent.MaxBytes, func(data []byte) (admit.Submission, *admit.Problem) {
			return cloudevent.DecodeBinary(attribute, data)
		}), nil
	}
	return nil, problemMedia
}

// attribute undoes the percent-encoding of a CloudEvents attribute in a header (HTTP binding, section 3.1.3.2).
func attribute(value string) string {
	if text, err := url.PathUnescape(value); err == nil {
		return text
	}
	return value
}

type decode = func([]byte) (admit.Submission, *admit.Problem)

// readAll reads a body that is one document of at most so many bytes.
func readAll(body io.Reader, most int64, tooLarge error) ([]byte, error) {
	data, err := io.ReadAll(&capped{from: body, left: most})
	switch {
	case errors.Is(err, errTooLarge):
		return nil, tooLarge
	case err != nil:
		return nil, bodyError(err)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, errEmpty
	}
	return data, nil
}

// single reads a body that is one item.
func single(body io.Reader, most int64, decode decode) items {
	return func(yield func(item, error) bool) {
		data, err := readAll(body, most, errItemSize)
		if err != nil {
			yield(item{}, err)
			return
		}
		it := item{number: 1}
		it.sub, it.problem = decode(data)
		yield(it, nil)
	}
}

// lines reads NDJSON. A line that is too long is refused, and the next one is read.
func lines(body io.Reader, decode decode) items {
	return func(yield func(item, error) bool) {
		reader := bufio.NewReaderSize(body, 64<<10)
		var long []byte // a line that is longer than the reader's buffer
		for number := uint64(1); ; number++ {
			line, err := reader.ReadSlice('\n')
			tooLong := false
			for long = long[:0]; errors.Is(err, bufio.ErrBufferFull); {
				if tooLong = tooLong || len(long)+len(line) > cloudevent.MaxBytes; !tooLong {
					long = append(long, line...)
				}
				line, err = reader.ReadSlice('\n')
			}
			if len(long) > 0 || tooLong {
				if tooLong = tooLong || len(long)+len(line) > cloudevent.MaxBytes+1; !tooLong {
					long = append(long, line...)
				}
				line = long
			}
			if err != nil && err != io.EOF {
				yield(item{}, bodyError(err)) // the line that it cut off is none
				return
			}
			end := err != nil
			it := item{number: number}
			switch {
			case tooLong:
				it.problem = &admit.Problem{Reason: string(event.TooLarge), Field: "payload", Rule: "must have at most 1,048,576 bytes"}
			case len(bytes.TrimSpace(line)) == 0: // nothing on it
				if end {
					return
				}
				continue
			default:
				it.sub, it.problem = decode(line)
			}
			if !yield(it, nil) || end {
				return
			}
		}
	}
}

// elements reads a JSON array whose elements are items, one at a time.
func elements(body io.Reader, decode decode) items {
	return func(yield func(item, error) bool) {
		within := &ahead{from: body, most: 1 << 62}
		// What is inside an element is the element's: a key that is there twice is no reason to read nothing more.
		reader := jsontext.NewDecoder(within, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		fail := func(err error) {
			if errors.Is(err, io.EOF) && reader.InputOffset() == 0 {
				err = errEmpty
			}
			yield(item{}, bodyError(err))
		}
		if kind := reader.PeekKind(); kind != '[' {
			_, err := reader.ReadToken()
			if err == nil {
				err = errNotSyntax
			}
			fail(err)
			return
		}
		if _, err := reader.ReadToken(); err != nil {
			fail(err)
			return
		}
		for number := uint64(1); ; number++ {
			within.most = reader.InputOffset() + cloudevent.MaxBytes + 64<<10
			if reader.PeekKind() == ']' {
				break
			}
			value, err := reader.ReadValue()
			if err != nil {
				fail(err)
				return
			}
			it := item{number: number}
			it.sub, it.problem = decode(value)
			if !yield(it, nil) {
				return
			}
		}
		if _, err := reader.ReadToken(); err != nil {
			fail(err)
			return
		}
		if _, err := reader.ReadToken(); err != io.EOF { //nolint:errorlint // a decoder's own end is never wrapped
			if err == nil {
				err = errNotSyntax
			}
			fail(err)
		}
	}
}

// ahead keeps a decoder from reading one value without end.
type ahead struct {
	from io.Reader
	read int64
	most int64
}

func (a *ahead) Read(p []byte) (int, error) {
	if a.read >= a.most {
		return 0, errItemSize
	}
	n, err := a.from.Read(p)
	a.read += int64(n)
	return n, err
}

// bodyError keeps what is wrong with the body as such, and makes the rest a matter of syntax.
func bodyError(err error) error {
	for _, known := range []error{errSlow, errCut, errTooLarge, errNotGzip, errItemSize, errEmpty} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errNotSyntax
}

var errEmpty = errors.New("the body is empty")

// csv reads an extract. What a file does not say itself is in the query.
func csv(r *http.Request, media string, parameters map[string]string, body io.Reader, source string) (items, *Problem) {
	switch {
	case media != mediaCSV:
		return nil, problemMedia
	case parameters == nil: // read on, the file's letters could be taken for others
		return nil, problemMedia.saying("The parameters of the header Content-Type must be of the form name=value, each once, as in text/csv; charset=utf-8.")
	}
	query := r.URL.Query()
	o := extract.Options{Source: source}
	var ok bool
	if o.Layout, ok = extract.ParseLayout(query.Get("layout")); !ok {
		return nil, problemQuery.saying("The parameter layout must be own or nhs-batch, or not there.")
	}
	if o.Encoding, ok = extract.ParseEncoding(parameters["charset"]); !ok {
		return nil, problemMedia.saying("The charset in Content-Type must be utf-8 or windows-1252, or not there.")
	}
	if at := query.Get("extracted"); at != "" {
		if o.Time, ok = event.ParseTime(at); !ok {
			return nil, problemQuery.saying("The parameter extracted must be a time as in RFC 3339, with an offset.")
		}
	} else if name := fileName(r); name != "" {
		o.Time, _ = extract.ParseFileTime(name)
	}
	return func(yield func(item, error) bool) {
		for it, err := range extract.Read(body, o) {
			if err != nil {
				yield(item{}, bodyError(err))
				return
			}
			if !yield(item{number: uint64(it.Row), sub: it.Submission, problem: it.Problem, last: it.Last}, nil) {
				return
			}
		}
	}, nil
}

// fileName is what the sender calls the file, which may say when it was made.
func fileName(r *http.Request) string {
	if name := r.URL.Query().Get("filename"); name != "" {
		return name
	}
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	return parameters["filename"]
}

// maxBundle is how large a Bundle may be: its patients may stand after its records, so it is read whole.
const maxBundle = 16 << 20

var (
	errBundleSize = errors.New("a Bundle is too large")
	errBusy       = errors.New("other Bundles are in hand")
)

// resources reads FHIR. A Bundle is read when enter has let its bytes in.
func resources(r *http.Request, media string, body io.Reader, source string, enter func(bytes int) error) (items, *Problem) {
	o := fhir.Options{Source: source}
	if at := r.URL.Query().Get("extracted"); at != "" {
		var ok bool
		if o.Time, ok = event.ParseTime(at); !ok {
			return nil, problemQuery.saying("The parameter extracted must be a time as in RFC 3339, with an offset.")
		}
	}
	switch media {
	case mediaFHIRLines, mediaLines, mediaLinesToo:
		return func(yield func(item, error) bool) {
			for it, err := range fhir.Lines(body, o) {
				if err != nil {
					yield(item{}, bodyError(err))
					return
				}
				if !yield(resource(it), nil) {
					return
				}
			}
		}, nil
	case mediaFHIR, mediaJSON:
		return func(yield func(item, error) bool) {
			data, err := readAll(body, maxBundle, errBundleSize)
			if err != nil {
				yield(item{}, err)
				return
			}
			if fhir.Kind(data) != "Bundle" {
				if len(data) > fhir.MaxBytes {
					yield(item{}, errBundleSize)
					return
				}
				it := item{number: 1}
				if kind := fhir.Kind(data); kind == "Immunization" || kind == "Observation" {
					it.typ = kind
				}
				it.sub, it.problem, it.skip = fhir.Decode(data, o)
				yield(it, nil)
				return
			}
			if err := enter(len(data)); err != nil {
				yield(item{}, err)
				return
			}
			kind, entries, problem := fhir.Bundle(data, o)
			if problem != nil {
				yield(item{problem: problem, last: true}, nil)
				return
			}
			for entry := range entries {
				it := resource(entry)
				it.inBundle, it.all = true, kind == "transaction"
				if kind == "batch" || kind == "transaction" {
					it.response = kind
				}
				if !yield(it, nil) {
					return
				}
			}
		}, nil
	}
	return nil, problemMedia
}

func resource(it fhir.Item) item {
	return item{number: uint64(it.Index) + 1, typ: it.Type, sub: it.Submission, problem: it.Problem, skip: it.Skip}
}

// mediaType is the media type of a header in lower case, and its parameters; nil where they cannot be read.
func mediaType(header string) (string, map[string]string) {
	media, parameters, err := mime.ParseMediaType(header)
	if err != nil {
		media, _, _ = strings.Cut(header, ";")
		return strings.ToLower(strings.TrimSpace(media)), nil
	}
	return media, parameters
}
