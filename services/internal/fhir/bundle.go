package fhir

import (
	"bytes"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
)

// maxURL is how long a fullUrl may be: it is looked at once for each reference.
const maxURL = 2048

// history is the type of a Bundle whose entries are versions of resources.
const history = "history"

// bundle is a Bundle whose entries have been found but not read.
type bundle struct {
	body    []byte
	kind    string
	time    time.Time
	timeAt  string
	entries []entry

	// Built when the first reference is followed.
	byURL, byName map[string]place // by fullUrl; by "Patient/123"
	found         found
	people        map[int]*person // by entry
}

// place is where a resource stands. Of several versions in a history it is the first, which is the newest.
type place struct {
	entry   int
	several bool
}

type entry struct {
	fullURL  string
	from, to int // the resource in the body; 0, 0 if there is none
	method   string
	url      string
	modified time.Time // response.lastModified
	deletion bool
	problem  *admit.Problem

	kind  string // of the resource, once references were followed
	unfit bool   // it is too large for one, or no text
}

func (b *bundle) resource(i int) []byte { return b.body[b.entries[i].from:b.entries[i].to] }

// openBundle finds the entries of a Bundle.
func openBundle(body []byte, o Options) (*bundle, *admit.Problem) {
	body = bytes.TrimPrefix(body, byteOrderMark)
	b := &bundle{body: body, time: o.Time, timeAt: "Bundle.timestamp"}
	s := scanOf(body)
	defer s.letGo()
	if problem := b.members(s); problem != nil {
		return nil, problem
	}
	if len(bytes.Trim(body[s.json.InputOffset():], " \t\r\n")) > 0 {
		return nil, bad(string(event.NotJSON), "Bundle", "must be one JSON value")
	}
	switch b.kind {
	case "collection", "batch", "transaction", "searchset", history:
	case "":
		return nil, missing("Bundle.type", "must be there")
	default:
		return nil, bad(admit.NotSupported, "Bundle.type", "must be collection, batch, transaction, searchset or history")
	}
	return b, nil
}

// members reads the members of the Bundle itself.
func (b *bundle) members(s *scanner) *admit.Problem {
	noJSON := bad(string(event.NotJSON), "Bundle", "must be one JSON value")
	if s.json.PeekKind() != '{' {
		if _, err := s.json.ReadValue(); err != nil {
			return noJSON
		}
		return bad(admit.NotFHIR, "Bundle", "must be an object")
	}
	if _, err := s.json.ReadToken(); err != nil {
		return noJSON
	}
	seen := make(map[string]bool, 8)
	var stamp string
	var m meta
	for {
		key, more, err := s.key()
		if err != nil {
			return noJSON
		}
		if !more {
			break
		}
		var problem *admit.Problem
		switch key {
		case "resourceType", "type", "timestamp", "implicitRules", "meta", "entry":
			if seen[key] {
				return bad(string(event.DuplicateKey), "Bundle."+key, "must not be given twice")
			}
			seen[key] = true
		}
		if key == "entry" {
			if problem = b.list(s); problem != nil {
				return problem
			}
			continue
		}
		value, err := s.value()
		if err != nil {
			return noJSON
		}
		switch key {
		case "type":
			problem = parse(value, &b.kind, "Bundle.type")
		case "timestamp":
			problem = parse(value, &stamp, "Bundle.timestamp")
		case "meta":
			problem = parse(value, &m, "Bundle.meta")
		case "implicitRules":
			problem = mustUnderstand(string(value), nil, "Bundle")
		}
		if problem != nil {
			return problem
		}
	}
	return b.made(stamp, m.LastUpdated)
}

// made finds when the Bundle was made.
func (b *bundle) made(stamp, updated string) *admit.Problem {
	for _, x := range [...]struct{ text, at string }{{updated, "Bundle.meta.lastUpdated"}, {stamp, "Bundle.timestamp"}} {
		if x.text == "" {
			continue
		}
		t, ok := instant(x.text)
		if !ok {
			return bad(string(event.BadTime), x.at, instantRule)
		}
		b.time, b.timeAt = t, x.at
	}
	return nil
}

// list reads the entries.
func (b *bundle) list(s *scanner) *admit.Problem {
	noJSON := bad(string(event.NotJSON), "Bundle", "must be one JSON value")
	if kind := s.json.PeekKind(); kind != '[' {
		if s.json.SkipValue() != nil {
			return noJSON
		}
		return bad(admit.BadValue, "Bundle.entry", "must be an array")
	}
	if _, err := s.json.ReadToken(); err != nil {
		return noJSON
	}
	for s.json.PeekKind() != ']' {
		if len(b.entries) == MaxEntries {
			return bad(string(event.TooLarge), "Bundle.entry", "must have at most 50,000 entries")
		}
		e := entry{}
		if s.json.PeekKind() != '{' {
			if s.json.SkipValue() != nil {
				return noJSON
			}
			e.problem = bad(admit.BadValue, index("Bundle.entry", len(b.entries)), "must be an object")
		} else if err := e.members(s, len(b.entries)); err != nil {
			return noJSON
		}
		b.entries = append(b.entries, e)
	}
	if _, err := s.json.ReadToken(); err != nil {
		return noJSON
	}
	return nil
}

// members reads the members of one entry. The error is that there is no JSON.
func (e *entry) members(s *scanner, i int) error {
	if _, err := s.json.ReadToken(); err != nil {
		return err
	}
	var seen [6]bool
	for {
		key, more, err := s.key()
		if err != nil || !more {
			return err
		}
		value, err := s.value()
		if err != nil {
			return err
		}
		which := -1
		switch key {
		case "fullUrl":
			which = 0
			e.take(parse(value, &e.fullURL, index("Bundle.entry", i)+".fullUrl"))
			if len(e.fullURL) > maxURL {
				e.fullURL = ""
				e.take(bad(admit.BadValue, index("Bundle.entry", i)+".fullUrl", "must have at most 2,048 characters"))
			}
		case "resource":
			which = 1
			end := int(s.json.InputOffset())
			e.from, e.to = end-len(value), end
			if value[0] != '{' {
				e.take(bad(admit.BadValue, index("Bundle.entry", i)+".resource", "must be an object"))
			}
		case "request":
			which = 2
			var request struct {
				Method string `json:"method"`
				URL    string `json:"url"`
			}
			e.take(parse(value, &request, index("Bundle.entry", i)+".request"))
			e.method, e.url, e.deletion = request.Method, request.URL, request.Method == http.MethodDelete
		case "response":
			which = 3
			var response struct {
				LastModified string `json:"lastModified"`
			}
			e.take(parse(value, &response, index("Bundle.entry", i)+".response"))
			if response.LastModified != "" {
				var ok bool
				if e.modified, ok = instant(response.LastModified); !ok {
					e.take(bad(string(event.BadTime), index("Bundle.entry", i)+".response.lastModified", instantRule))
				}
			}
		case "modifierExtension":
			which = 4
			if !empty(value) {
				e.take(mustUnderstand("", []jsontext.Value{value}, index("Bundle.entry", i)))
			}
		}
		if which >= 0 && seen[which] {
			e.take(bad(string(event.DuplicateKey), index("Bundle.entry", i)+"."+key, "must not be given twice"))
		} else if which >= 0 {
			seen[which] = true
		}
	}
}

// empty tells whether a value is an array of nothing, or null.
func empty(value []byte) bool {
	return value[0] == 'n' || value[0] == '[' && len(bytes.Trim(value[1:len(value)-1], " \t\r\n")) == 0
}

// take keeps the first problem.
func (e *entry) take(problem *admit.Problem) {
	if e.problem == nil {
		e.problem = problem
	}
}

// judge decides whether an entry can be read.
func (b *bundle) judge(i int) *admit.Problem {
	e := &b.entries[i]
	switch {
	case e.problem != nil:
		return e.problem
	case e.method == "":
	case e.method != http.MethodPost && e.method != http.MethodPut && !e.deletion:
		return bad(admit.NotSupported, index("Bundle.entry", i)+".request.method", "must be POST, PUT or DELETE")
	case b.kind == "collection" || b.kind == "searchset":
		return bad(admit.NotFHIR, index("Bundle.entry", i)+".request", "must not be there in a Bundle of this type")
	}
	if e.to == 0 && !e.deletion {
		return missing(index("Bundle.entry", i)+".resource", "must be there")
	}
	return nil
}

// read reads an entry.
func (b *bundle) read(i int, o Options) Item {
	e := &b.entries[i]
	item := Item{Index: i}
	if item.Problem = b.judge(i); item.Problem != nil {
		return item
	}
	r := reader{o: Options{Source: o.Source, Time: b.time}, in: b, entry: i}
	from := i
	if e.to == 0 {
		// A deletion says no more than what is deleted. An older version may stand in the same Bundle.
		kind, name := nameOf(e.url)
		if name == "" {
			kind, name = nameOf(e.fullURL)
		}
		if kind != "" && kind != "Immunization" && kind != "Observation" {
			item.Type, item.Skip = known(kind), true
			return item
		}
		b.find()
		at, ok := b.byName[name]
		if !ok || at.several {
			item.Problem = bad(admit.NotSupported, index("Bundle.entry", i)+".request",
				"must come with the resource that it deletes, or the resource must be sent with status entered-in-error: whose it was, and its identifier, are in it")
			return item
		}
		from = at.entry
	}
	item.Type, item.Submission, item.Problem, item.Skip = r.read(b.resource(from))
	if item.Problem != nil && from != i && !strings.HasPrefix(item.Problem.Field, "Bundle.") {
		item.Problem.Field = below(index("Bundle.entry", from)+".resource", item.Problem.Field)
	}
	return item
}

// nameOf cuts "Patient/123" out of a URL, or out of a reference to a version.
func nameOf(url string) (kind, name string) {
	url, _, _ = strings.Cut(url, "/_history/")
	id := strings.LastIndexByte(url, '/')
	if id < 0 || !isID(url[id+1:]) || id+1 == len(url) {
		return "", ""
	}
	start := strings.LastIndexByte(url[:id], '/') + 1
	kind = url[start:id]
	if kind == "" || kind[0] < 'A' || kind[0] > 'Z' {
		return "", ""
	}
	return kind, url[start:]
}

// find lists the resources by what references say.
func (b *bundle) find() {
	if b.byURL != nil {
		return
	}
	b.byURL, b.byName = make(map[string]place, len(b.entries)), make(map[string]place, len(b.entries))
	b.people = map[int]*person{}
	add := func(m map[string]place, name string, i int) {
		at, there := m[name]
		if !there {
			at.entry = i
		}
		at.several = there && b.kind != history
		m[name] = at
	}
	for i := range b.entries {
		e := &b.entries[i]
		if e.to == 0 || e.deletion && b.kind != history {
			continue
		}
		e.unfit = judgeText(b.resource(i)) != nil
		if e.fullURL != "" {
			add(b.byURL, e.fullURL, i)
		}
		var id string
		if e.kind, id = head(b.resource(i)); e.kind != "" && id != "" {
			add(b.byName, e.kind+"/"+id, i)
		}
	}
}

// resolve finds the resource that a reference in an entry leads to, as FHIR R4 says (bundle.html, "Resolving references in
// Bundles"), and beyond that by type and id where a relative reference leads nowhere else and one of the two says no server: many
// Bundles have urn:uuid for fullUrl, or none, and relative references all the same.
func (b *bundle) resolve(ref string, from int) (none target, _ finding) {
	b.find()
	ref, _, _ = strings.Cut(ref, "/_history/")
	at, ok := b.byURL[ref]
	if !ok {
		kind, name := nameOf(ref)
		if name != ref || kind == "" {
			return none, foundNone
		}
		_, own := nameOf(b.entries[from].fullURL)
		if own != "" {
			base, _, _ := strings.Cut(b.entries[from].fullURL, "/_history/")
			at, ok = b.byURL[strings.TrimSuffix(base, own)+name]
		}
		if !ok {
			at, ok = b.byName[name]
			// That of another server is another one, although it has the same id.
			if _, other := nameOf(b.entries[at.entry].fullURL); ok && own != "" && other != "" {
				return none, foundNone
			}
		}
	}
	switch {
	case !ok:
		return none, foundNone
	case at.several:
		return none, foundSeveral
	}
	if e := &b.entries[at.entry]; !e.unfit {
		return target{text: b.resource(at.entry), kind: e.kind, at: index("Bundle.entry", at.entry) + ".resource", entry: at.entry}, foundOne
	}
	return none, foundNone // it is refused in its own place
}

// items reads the entries one by one.
func (b *bundle) items(o Options) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for i := range b.entries {
			if !yield(b.read(i, o)) {
				return
			}
		}
	}
}
