package extract_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

	"gapwatch/services/internal/extract"
)

// FuzzOwn and FuzzBatch feed anything behind a good header, or as it is where the header is cut. More seeds lie in
// testdata/fuzz.
func FuzzOwn(f *testing.F) {
	const header = "nhs_number,record,occurred_at,time,source,revision,status,programme,procedure_code,product_code,check_code,dose,birth_date,plus\n"
	f.Add([]byte("9434765919,17,2026-10-03,2026-10-03T09:30:00+01:00,urn:x,new,completed,flu-65,1181000221105,,,1,1961-04-03,smi ld\n"), uint8(0), uint16(len(header)))
	f.Add([]byte("\"943 476 5919\",\"1\"\"7\",,,,delete,,,,,85354-9,,,\r\n\r\n,,,,,,,,,,,,,\r,x\n"), uint8(1), uint16(len(header)))
	f.Add([]byte("9434765919;SMITH;1961-04-03;NE23 1NW\n"), uint8(2), uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, encoding uint8, keep uint16) {
		check(t, append([]byte(header)[:min(int(keep), len(header))], data...), extract.Options{Encoding: encodings[int(encoding)%len(encodings)], Source: "urn:y"})
	})
}

func FuzzBatch(f *testing.F) {
	header, row, _ := strings.Cut(nhsFile(f, nhsRow{"PERSON_SURNAME": `"O\'Reilly"`, "PERSON_FORENAME": "\"Zo\xeb\""}), "\n")
	header += "\n"
	f.Add([]byte(row), uint8(0), uint16(len(header)))
	f.Add([]byte(strings.ReplaceAll(row, "new", "Delete")+strings.ReplaceAll(row, `"1"`, `"0"`)+row[:40]+"\n"+row), uint8(1), uint16(len(header)))
	f.Add([]byte(strings.ReplaceAll(row, `"17"`, "\"Zo\xeb\n\"")), uint8(2), uint16(len(header)))
	f.Add([]byte(row), uint8(0), uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, encoding uint8, keep uint16) {
		check(t, append([]byte(header)[:min(int(keep), len(header))], data...), extract.Options{Layout: extract.NHSBatch, Encoding: encodings[int(encoding)%len(encodings)]})
	})
}

var encodings = []extract.Encoding{extract.Undeclared, extract.UTF8, extract.Windows1252}

// lineEnds are all that can end a row.
var lineEnds = regexp.MustCompile("\r\n|\r|\n")

// check reads data and holds what comes of it against everything that must be so for any input.
func check(t *testing.T, data []byte, o extract.Options) {
	t.Helper()
	var all []extract.Item
	for item, err := range extract.Read(bytes.NewReader(data), o) {
		if err != nil {
			t.Fatal(err) // the reader has none
		}
		all = append(all, item)
	}
	// However the reader hands it out, it is the same file.
	for i, from := range []*bytes.Reader{bytes.NewReader(data), bytes.NewReader(data)} {
		split := iotest.HalfReader(from)
		if i == 1 {
			split = iotest.DataErrReader(iotest.OneByteReader(from))
		}
		n := 0
		for item, err := range extract.Read(split, o) {
			if err != nil {
				t.Fatal(err)
			}
			if n == len(all) || described(item) != described(all[n]) {
				t.Fatalf("item %d depends on how the file is read: %s", n, described(item))
			}
			n++
		}
		if n != len(all) {
			t.Fatalf("%d items, then %d", len(all), n)
		}
	}
	rows, before := len(lineEnds.FindAllIndex(data, -1))+1, 0
	for i, item := range all {
		if item.Row <= before || item.Row > rows {
			t.Fatalf("row %d after %d, and there are %d lines", item.Row, before, rows)
		}
		before = item.Row
		if item.Last && (item.Problem == nil || i < len(all)-1) {
			t.Fatal("the last item is not the last, or has no problem")
		}
		if item.Problem == nil {
			checkSubmission(t, item)
			continue
		}
		checkProblem(t, item, data)
	}
}

func described(item extract.Item) string {
	item.Submission.Where = nil
	p := item.Problem
	item.Problem = nil
	text := fmt.Sprintf("%#v", item)
	if p != nil {
		text += p.Error()
	}
	return text
}

func checkSubmission(t *testing.T, item extract.Item) {
	t.Helper()
	s := item.Submission
	if s.Where == nil || s.Status == 0 || s.Time.IsZero() || strings.TrimSpace(s.Record) == "" || strings.TrimSpace(s.Source) == "" || s.Dose > 9 {
		t.Fatalf("%s", described(item))
	}
	for _, text := range append([]string{s.Source, s.Record, s.NHSNumber, s.BirthDate, s.Postcode, s.LSOA, s.Programme, s.Cohort, s.OccurredAt, s.Ethnicity, s.Practice, s.Provider}, s.Plus...) {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Fatalf("%q is no text", text)
		}
	}
	for _, code := range slices.Concat(s.Procedures, s.Products, s.Checks) {
		if code.System == "" || code.Code == "" {
			t.Fatalf("%v is no code", code)
		}
	}
}

// valueLike are what could be a value of a person: six characters or more with a digit among them.
var valueLike = regexp.MustCompile(`[0-9A-Za-z]*[0-9][0-9A-Za-z]*`)

// rules are the rules that a row can break, with # for numbers.
var rules = []string{
	"row must be at most # bytes (is a quote not closed?): from row # on nothing was read",
	"row must close its quote before the file ends: from row # on nothing was read",
	"row must have as many fields as the header: #, not #",
	"row must have as many fields as the header: #, not #; it goes on over # lines: is a quote not closed?",
	"row must not hold a NUL byte",
	"COLUMN must not hold line breaks, tabs and other control characters",
	"COLUMN must be all inside quotes or all without: a quote inside is written twice",
	"COLUMN must be UTF-#: is the file Windows-#? Then the request must say so (charset=windows-#)",
	"COLUMN must be ASCII or UTF-#, unless the request says what else it is (charset=windows-#)",
	"COLUMN must be ASCII in a row that is not UTF-#, unless the request says what it is (charset=windows-#)",
	"COLUMN must be there",
	"COLUMN must be there, unless the request says the time of the extract",
	"COLUMN must be there where there is neither procedure_code nor product_code nor check_code",
	"COLUMN must be new, update or delete",
	"COLUMN must be new, update or delete, or empty",
	"COLUMN must be completed, entered-in-error or not-done, or empty",
	"COLUMN must be a time with its offset (#-#-#T#:#:#+#:#) or a date (#-#-#)",
	"COLUMN must be SNOMED CT codes with their check digit, at most #: is it what a spreadsheet made of one?",
	"COLUMN must be SNOMED CT or LOINC codes, at most #: is it what a spreadsheet made of one?",
	"COLUMN must be empty where there is a procedure_code or product_code: a row is a vaccination or a check",
	"COLUMN must be a whole number from # to #, or empty",
	"COLUMN must be YYYY-MM-DD, YYYY-MM or YYYY",
	"COLUMN must be YYYYMMDD",
	"COLUMN must be YYYYMMDD, unless the request says the time of the extract",
	"COLUMN must be YYYYMMDDThhmmss, with # or # (hours ahead of UTC) behind it or nothing, or YYYYMMDD",
}

var number = regexp.MustCompile(`[0-9]+`)

// checkProblem makes sure that a problem says where and why, and nothing out of the file.
func checkProblem(t *testing.T, item extract.Item, data []byte) {
	t.Helper()
	p := item.Problem
	if !slices.Contains(extract.Reasons, p.Reason) {
		t.Fatalf("%q is no reason", p.Reason)
	}
	s := item.Submission
	s.Source, s.Record = "", ""
	if diff := gocmp.Diff(extract.Item{}.Submission, s); diff != "" {
		t.Fatalf("a row with a problem is handed on: %s", diff)
	}
	if p.Field == "file" || p.Field == "header" {
		if !item.Last {
			t.Fatal("the file has a problem and is read on")
		}
		said := p.Rule
		for _, value := range valueLike.FindAll(data, -1) {
			if len(value) >= 6 && strings.Contains(said, string(value)) {
				t.Fatalf("%q repeats %q", said, value)
			}
		}
		return
	}
	field := p.Field
	for _, l := range []extract.Layout{extract.Own, extract.NHSBatch} {
		if slices.ContainsFunc(extract.Columns(l), func(c extract.Column) bool { return c.Name == p.Field }) {
			field = "COLUMN"
		}
	}
	if said := field + " " + number.ReplaceAllString(p.Rule, "#"); !slices.Contains(rules, said) {
		t.Fatalf("%q is no known rule", said)
	}
}
