package fhir

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/mapping"
)

// parts are the names that Submission.Where is asked for.
var parts = []string{"Source", "Record", "Time", "Revision", "Status", "NHSNumber", "BirthDate", "Postcode", "Ethnicity", "Practice", "Procedures",
	"Products", "Diseases", "Checks", "OccurredAt", "Dose", "Provider", "Programme", "Type", "LSOA", "nothing of the kind"}

// FuzzDecode: no input breaks it; a problem says nothing of the input; what is accepted is accepted in the same way when it is
// written again, with its keys in another order, and when it stands in a Bundle.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(pressure))
	f.Add([]byte(somebody))
	rules := readRules(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		sub, problem, skip := Decode(text, options)
		checkProblem(t, rules, problem)
		if problem != nil {
			if skip || !reflect.DeepEqual(sub, admit.Submission{Source: sub.Source, Record: sub.Record}) {
				t.Fatalf("more than a name with a problem: %+v", sub)
			}
			return
		}
		if skip {
			return
		}
		checkSubmission(t, rules, &sub, len(text))
		if again := jsontext.Value(bytes.Clone(bytes.TrimPrefix(text, byteOrderMark))); again.Canonicalize() == nil {
			other, problem, _ := Decode(again, options)
			if problem != nil {
				t.Fatalf("not accepted when written again: %v", problem)
			}
			same(t, &sub, &other)
		}
		body := append(append([]byte(`{"resourceType":"Bundle","type":"collection","entry":[{"resource":`), bytes.TrimPrefix(text, byteOrderMark)...), "}]}"...)
		_, items, problem := Bundle(body, options)
		if problem != nil {
			t.Fatalf("not accepted in a Bundle: %v", problem)
		}
		for item := range items {
			if item.Problem != nil {
				t.Fatalf("not accepted in a Bundle: %v", item.Problem)
			}
			same(t, &sub, &item.Submission)
		}
	})
}

// FuzzBundle: no input breaks it; every entry is one thing; a problem says nothing of the input.
func FuzzBundle(f *testing.F) {
	entry := func(s string) string { return `{"resource":` + s + `}` }
	f.Add([]byte(`{"resourceType":"Bundle","type":"batch","timestamp":"2026-11-01T08:00:00Z","entry":[` + entry(vaccination("1", refer("Patient/pat"), "")) + "," + entry(somebody) + `]}`))
	f.Add([]byte(`{"resourceType":"Bundle","type":"history","entry":[{"request":{"method":"DELETE","url":"Immunization/1"},"response":{"lastModified":"2026-11-01T08:00:00Z"}},` +
		entry(vaccination("1", refer("Patient/other"), "")) + "," + entry(anybody) + `]}`))
	f.Add([]byte(`{"resourceType":"Bundle","type":"collection","entry":[` + entry(sample) + "," + entry(pressure) + `]}`))
	rules := readRules(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		kind, items, problem := Bundle(body, options)
		checkProblem(t, rules, problem)
		if problem != nil {
			return
		}
		if kind == "" {
			t.Fatal("no kind")
		}
		n := 0
		for item := range items {
			if item.Index != n {
				t.Fatalf("entry %d after %d others", item.Index, n)
			}
			n++
			checkProblem(t, rules, item.Problem)
			if item.Type != known(item.Type) {
				t.Fatalf("type %q", item.Type)
			}
			if item.Problem != nil && item.Skip {
				t.Fatal("a problem with what is skipped")
			}
			if item.Problem == nil && !item.Skip {
				checkSubmission(t, rules, &item.Submission, len(body))
			}
		}
		if n > len(body)/2 {
			t.Fatalf("%d entries in %d bytes", n, len(body))
		}
		if !bytes.Equal(before, body) {
			t.Fatal("the body was written to")
		}
	})
}

// rules is the text of this package, where every rule must stand.
type rules string

func readRules(t testing.TB) rules {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	var all strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return rules(all.String())
}

// written writes a rule as it stands in the package.
var written = strings.NewReplacer(nhsNumberSystem, `"+nhsNumberSystem+"`, "or recorded with", `or "+field+" with`, "or issued with", `or "+field+" with`)

func checkProblem(t *testing.T, r rules, p *admit.Problem) {
	t.Helper()
	if p == nil {
		return
	}
	known := false
	for _, reason := range admit.Reasons {
		known = known || reason == p.Reason
	}
	if !known {
		t.Fatalf("reason %q", p.Reason)
	}
	if !strings.Contains(string(r), `"`+strings.TrimSuffix(written.Replace(p.Rule), "")) {
		t.Fatalf("rule %q stands nowhere", p.Rule)
	}
	checkPath(t, p.Field)
	if event.HoldsNHSNumber([]byte(p.Error())) {
		t.Fatalf("%q", p.Error())
	}
}

// names are the names of elements that a path may have.
var names = func() map[string]bool {
	all := map[string]bool{"Bundle": true, "entry": true, "resource": true, "resourceType": true, "fullUrl": true, "request": true, "response": true,
		"method": true, "url": true, "lastModified": true, "type": true, "timestamp": true}
	seen := map[reflect.Type]bool{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] {
			return
		}
		seen[t] = true
		for i := range t.NumField() {
			if name := t.Field(i).Tag.Get("json"); name != "" {
				all[name] = true
			}
			add(t.Field(i).Type)
		}
	}
	for _, shape := range []any{immunization{}, observation{}, patient{}, party{}} {
		add(reflect.TypeOf(shape))
	}
	return all
}()

func checkPath(t *testing.T, path string) {
	t.Helper()
	for step := range strings.SplitSeq(path, ".") {
		name, rest, indexed := strings.Cut(step, "[")
		if !names[name] {
			t.Fatalf("%q in %q is no element", name, path)
		}
		if indexed {
			if n, err := strconv.Atoi(strings.TrimSuffix(rest, "]")); err != nil || n < 0 || n > MaxEntries {
				t.Fatalf("%q in %q", step, path)
			}
		}
	}
}

func checkSubmission(t *testing.T, r rules, s *admit.Submission, size int) {
	t.Helper()
	if s.Record == "" || s.Source == "" || s.Time.IsZero() || s.Status.String() == "" || s.Type == "" || s.NHSNumber == "" {
		t.Fatalf("incomplete: %+v", s)
	}
	if s.Dose > event.MaxDose || s.Doses != nil && len(s.Doses) != len(s.Diseases) {
		t.Fatalf("doses: %+v", s)
	}
	if s.Status == event.Completed && s.OccurredAt == "" {
		t.Fatalf("no day: %+v", s)
	}
	if s.Why != "" && !strings.Contains(string(r), `"`+s.Why+`"`) {
		t.Fatalf("why %q stands nowhere", s.Why)
	}
	if (s.Subpotent || s.Incomplete || s.Status == event.NotDone) != (s.Why != "") {
		t.Fatalf("why: %+v", s)
	}
	for _, codes := range append([][]admit.Code{s.Procedures, s.Products, s.Checks}, s.Diseases...) {
		for _, c := range codes {
			if c.System == admit.SNOMED && !mapping.IsSNOMED(c.Code) {
				t.Fatalf("%v", c)
			}
		}
	}
	if n := len(fmt.Sprint(s.Record, s.NHSNumber, s.BirthDate, s.Postcode, s.Procedures, s.Products, s.Diseases, s.Checks)); n > 8*size+1024 {
		t.Fatalf("%d bytes from %d", n, size)
	}
	for _, part := range parts {
		checkPath(t, s.Where(part))
	}
}

func same(t *testing.T, a, b *admit.Submission) {
	t.Helper()
	x, y := *a, *b
	x.Where, y.Where = nil, nil
	if !reflect.DeepEqual(x, y) {
		t.Fatalf("the same record is another one:\n%+v\n%+v", x, y)
	}
	for _, part := range parts {
		if a.Where(part) != b.Where(part) {
			t.Fatalf("%s stands at %q and at %q", part, a.Where(part), b.Where(part))
		}
	}
}
