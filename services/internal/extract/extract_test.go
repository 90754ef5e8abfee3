package extract_test

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/extract"
)

var extractTime = time.Date(2026, 10, 4, 5, 0, 0, 0, time.UTC)

// options are those of a sender who says everything in the request.
var options = extract.Options{Source: "https://sender.example", Time: extractTime}

// items are the items of a file that is read without an error.
func items(t *testing.T, text string, o extract.Options) []extract.Item {
	t.Helper()
	var all []extract.Item
	for item, err := range extract.Read(strings.NewReader(text), o) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, item)
	}
	return all
}

// one is the only item of a file, which has no problem.
func one(t *testing.T, text string, o extract.Options) admit.Submission {
	t.Helper()
	all := items(t, text, o)
	if len(all) != 1 {
		t.Fatalf("%d items of %q", len(all), text)
	}
	if p := all[0].Problem; p != nil {
		t.Fatalf("%v of %q", p, text)
	}
	return all[0].Submission
}

// told is what the items say of rows and problems: "3 bad row: row must ...".
func told(all []extract.Item) []string {
	var lines []string
	for _, item := range all {
		line := fmt.Sprintf("%d ", item.Row)
		if item.Last {
			line += "last "
		}
		if item.Problem == nil {
			line += "ok"
		} else {
			line += item.Problem.Error()
		}
		lines = append(lines, line)
	}
	return lines
}

func wantTold(t *testing.T, name string, all []extract.Item, want ...string) {
	t.Helper()
	if diff := gocmp.Diff(want, told(all)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// same compares submissions; where a function is, it is the same for the same layout and options.
func same(t *testing.T, name string, got, want admit.Submission) {
	t.Helper()
	got.Where = nil
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestOwnRowInFull(t *testing.T) {
	s := one(t, `Plus,NHS Number,birth-date,POSTCODE,lsoa,programme,cohort,procedure_code,product_code,check_code,occurred_at,dose,status,record,time,source,revision,ethnicity,practice,provider
smi|ld homeless, 943 476 5919 ,1961-04-03,ne23 1nw,e01000001,flu-65,,1181000221105,39114911000001105 | 34925111000001104,,2026-10-03T09:30:00+01:00,2,Completed,"a ""b"" ",2026-10-03T09:31:00.1234567+01:00,urn:x,Update,a,a81001,rj1
`, options)
	same(t, "row", s, admit.Submission{
		Source: "urn:x", Record: `a "b" `, Time: time.Date(2026, 10, 3, 8, 31, 0, 123456000, time.UTC),
		Status: event.Completed, Revision: admit.Correction, Type: event.TypeVaccination,
		NHSNumber: "943 476 5919", BirthDate: "1961-04-03", Postcode: "ne23 1nw", LSOA: "E01000001",
		Programme:  "flu-65",
		Procedures: []admit.Code{{System: admit.SNOMED, Code: "1181000221105"}},
		Products:   []admit.Code{{System: admit.SNOMED, Code: "39114911000001105"}, {System: admit.SNOMED, Code: "34925111000001104"}},
		OccurredAt: "2026-10-03T09:30:00+01:00", Dose: 2,
		Ethnicity: "A", Practice: "A81001", Provider: "RJ1", Plus: []string{"smi", "ld", "homeless"},
	})
}

func TestOwnRowWithTheLeast(t *testing.T) {
	for _, comma := range []string{",", ";", "\t", "|"} {
		text := strings.ReplaceAll("record,programme,occurred_at,nhs_number\n17,flu-65,2026-10-03,\n", ",", comma)
		same(t, comma, one(t, text, options), admit.Submission{
			Source: "https://sender.example", Record: "17", Time: extractTime, Status: event.Completed,
			Programme: "flu-65", OccurredAt: "2026-10-03",
		})
	}
}

func TestOwnHealthCheck(t *testing.T) {
	s := one(t, "record,check_code,occurred_at,nhs_number\n17,75367002|85354-9,2026-10-03,9434765919\n", options)
	if s.Type != event.TypeHealthCheck {
		t.Error(s.Type)
	}
	if diff := gocmp.Diff([]admit.Code{{System: admit.SNOMED, Code: "75367002"}, {System: admit.LOINC, Code: "85354-9"}}, s.Checks); diff != "" {
		t.Error(diff)
	}
}

func TestOwnEthnicityNotKnown(t *testing.T) {
	for text, want := range map[string]string{"99": "", "z": "Z", "": ""} {
		if s := one(t, "record,programme,occurred_at,nhs_number,ethnicity\n17,flu-65,2026-10-03,,"+text+"\n", options); s.Ethnicity != want {
			t.Errorf("%q: %q", text, s.Ethnicity)
		}
	}
}

func TestOwnVersions(t *testing.T) {
	for _, c := range []struct {
		status, revision string
		wantStatus       event.Status
		wantRevision     admit.Revision
	}{
		{"", "", event.Completed, admit.UnknownRevision},
		{"completed", "new", event.Completed, admit.First},
		{"COMPLETED", "UPDATE", event.Completed, admit.Correction},
		{"completed", "delete", event.EnteredInError, admit.Correction},
		{"", "Delete", event.EnteredInError, admit.Correction},
		{"not-done", "", event.NotDone, admit.UnknownRevision},
		{"not-done", "update", event.NotDone, admit.Correction},
		{"not-done", "delete", event.EnteredInError, admit.Correction},
		{"entered-in-error", "", event.EnteredInError, admit.Correction},
		{"entered-in-error", "new", event.EnteredInError, admit.Correction},
	} {
		s := one(t, "record,programme,occurred_at,nhs_number,status,revision\n17,flu-65,2026-10-03,,"+c.status+","+c.revision, options)
		if s.Status != c.wantStatus || s.Revision != c.wantRevision {
			t.Errorf("status %q, revision %q: %v and %v", c.status, c.revision, s.Status, s.Revision)
		}
	}
}

func TestOwnTimes(t *testing.T) {
	for text, want := range map[string]time.Time{
		"":                            extractTime,
		"2026-07-03":                  time.Date(2026, 7, 2, 23, 0, 0, 0, time.UTC), // midnight in London
		"2026-01-03":                  time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC),
		"2026-07-03T10:00:00Z":        time.Date(2026, 7, 3, 10, 0, 0, 0, time.UTC),
		"2026-07-03T10:00:00.5+01:00": time.Date(2026, 7, 3, 9, 0, 0, 500_000_000, time.UTC),
	} {
		s := one(t, "record,programme,occurred_at,nhs_number,time\n17,flu-65,2026-10-03,,"+text, options)
		if !s.Time.Equal(want) {
			t.Errorf("%q is %v, want %v", text, s.Time, want)
		}
	}
}

// Every value that a column must not hold, and what is said of it.
func TestOwnProblems(t *testing.T) {
	const header = "nhs_number,record,occurred_at,time,source,revision,status,programme,procedure_code,product_code,check_code,dose,birth_date\n"
	names := strings.Split(strings.TrimSpace(header), ",")
	valid := map[string]string{
		"nhs_number": "9434765919", "record": "17", "occurred_at": "2026-10-03", "time": "2026-10-03", "source": "urn:x", "revision": "new",
		"status": "completed", "programme": "flu-65", "dose": "1", "birth_date": "1961-04-03",
	}
	row := func(change map[string]string) string {
		var fields []string
		for _, name := range names {
			value, ok := change[name]
			if !ok {
				value = valid[name]
			}
			fields = append(fields, value)
		}
		return strings.Join(fields, ",") + "\n"
	}
	wantTold(t, "the valid row", items(t, header+row(nil), extract.Options{}), "2 ok")
	for _, c := range []struct {
		column string
		values []string
		want   string // reason and field
	}{
		{"record", []string{"", " "}, "missing field: record"},
		{"record", []string{"1.23457E+15", "1E+15", "9.4e+09", "\"1,23457E+15\""}, "bad row: record"},
		{"source", []string{"", " "}, "missing field: source"},
		{"time", []string{""}, "missing field: time"},
		{"time", []string{"2026-10-03T10:00:00", "2026-10-03 10:00:00Z", "03/10/2026", "20261003", "2026-02-29", "2026-13-01", "2026-00-01", "2026-01-00",
			"2026-04-31", "\"2026-10-03T10:00:00,5Z\"", "2026-10-03T25:00:00Z", "46298", "now"}, "bad time: time"},
		{"revision", []string{"create", "n", "new update", "1"}, "bad revision: revision"},
		{"status", []string{"done", "entered in error", "complete"}, "unknown status: status"},
		{"programme", []string{""}, "missing field: programme"},
		{"procedure_code", []string{"308081000000106", "3.08081E+14", "30808100000010", "12345", "MMR", "308081000000105x", "1234567890123456789", "0308081000000105", "85354-9",
			strings.Repeat("1181000221105 ", 9)}, "bad code: procedure_code"},
		{"product_code", []string{"34925111000001100", "34925111000001104.0", "1181000221105,"[:13] + "-"}, "bad code: product_code"},
		{"check_code", []string{"85354-", "85354-99", "-9", "85354-8", "84535-9", "12345678-9", "85 354-9"}, "bad code: check_code"},
		{"dose", []string{"0", "10", "-1", "1.0", "01", "first", "²"}, "bad dose: dose"},
		{"birth_date", []string{"03/04/1961", "19610403", "1961-4-3", "1961-02-29", "61", "1961-13", "1961-", "19xx", "1961-04-03T00:00:00Z"}, "bad birth date: birth_date"},
	} {
		for _, value := range c.values {
			all := items(t, header+row(map[string]string{c.column: value}), extract.Options{})
			if len(all) != 1 || all[0].Problem == nil || !strings.HasPrefix(all[0].Problem.Error(), c.want+" ") || all[0].Last || all[0].Row != 2 {
				t.Errorf("%s %q: %q", c.column, value, told(all))
				continue
			}
			wantRecord := map[bool]string{true: strings.Trim(value, `"`), false: "17"}[c.column == "record"]
			if s := all[0].Submission; s.Record != wantRecord || s.NHSNumber != "" || s.Postcode != "" || !s.Time.IsZero() {
				t.Errorf("%s %q: %+v is left of a row with a problem", c.column, value, s)
			}
		}
	}
	for _, id := range []string{"E+15", "12E+15", "1E15", "1.5E+1", "a1E+15", "urn:1E+15", "1E+15a"} {
		if s := one(t, header+row(map[string]string{"record": id}), extract.Options{}); s.Record != id {
			t.Errorf("%s: %+v", id, s)
		}
	}
	both := items(t, header+row(map[string]string{"procedure_code": "1181000221105", "check_code": "75367002"}), extract.Options{})
	if len(both) != 1 || both[0].Problem == nil || both[0].Problem.Field != "check_code" {
		t.Errorf("a vaccination and a check in one row: %q", told(both))
	}
	// What takes a record back does so whatever else the row says.
	s := one(t, header+row(map[string]string{"revision": "delete", "procedure_code": "3.08E+14", "dose": "0", "birth_date": "?", "programme": "", "occurred_at": ""}), extract.Options{})
	if s.Status != event.EnteredInError || s.Type != event.TypeVaccination || s.BirthDate != "" || s.Procedures != nil || s.Dose != 0 {
		t.Errorf("%+v", s)
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	const ok = "nhs_number,record,occurred_at,programme\n"
	layout := func(l extract.Layout) extract.Options {
		return extract.Options{Layout: l, Source: "urn:x", Time: extractTime}
	}
	for _, c := range []struct {
		name, text string
		o          extract.Options
		want       string
	}{
		{"nothing", "", options, "1 last bad file: file must not be empty: a header with the names of the columns comes first"},
		{"empty lines", "\n\n\r\n", options, "1 last bad file: file must not be empty: a header with the names of the columns comes first"},
		{"UTF-16", "\xff\xfen\x00h\x00s\x00\n\x00", options, "1 last encoding: file must be UTF-8 or Windows-1252: it is UTF-16 (save it as CSV UTF-8)"},
		{"UTF-16 the other way round", "\xfe\xff\x00n\x00\n", options, "1 last encoding: file must be UTF-8 or Windows-1252: it is UTF-16 (save it as CSV UTF-8)"},
		{"UTF-16 without a mark", "n\x00h\x00s\x00\n\x00", options, "1 last encoding: file must be UTF-8 or Windows-1252: there are NUL bytes in the header, as in UTF-16"},
		{"a workbook", "PK\x03\x04", options, "1 last encoding: file must be CSV: it is an Excel workbook or another archive (save it as CSV UTF-8)"},
		{"gzip", "\x1f\x8b\x08", options, "1 last encoding: file must be CSV: it is compressed with gzip, and the request does not say so"},
		{"no header", "9434765919,17,2026-10-03,flu-65\n", options,
			"1 last bad file: header must name the columns of the layout own, with a comma, semicolon, tab or vertical bar between"},
		{"commas for bars", "NHS_NUMBER,UNIQUE_ID\n", layout(extract.NHSBatch), `1 last bad file: header must name the columns of the layout nhs-batch, with '|' between`},
		{"a name mistyped: it may be a person's", "nhs_number,record,occurred_at,programme,doze\n", options, "1 last bad file: header column 5 is none of the layout own"},
		{"a name that may be a value", "nhs_number,record,occurred_at,programme,SW1A 1AA\n", options, "1 last bad file: header column 5 is none of the layout own"},
		{"a name without letters", "nhs_number,record,occurred_at,programme,\n", options, "1 last bad file: header column 5 is none of the layout own"},
		{"half of the names are values", "record,smith\n", options, "1 last bad file: header column 2 is none of the layout own; column nhs_number must be there; " +
			"column occurred_at must be there; one of the columns programme, procedure_code, product_code and check_code must be there"},
		{"a name twice", "nhs_number,record,occurred_at,programme,Record\n", options, "1 last bad file: header column 5 (record) has the name of column 2"},
		{"neither time nor source", ok, extract.Options{}, "1 last bad file: header column source must be there, as the sender has no source of its own; " +
			"column time must be there, unless the request says the time of the extract"},
		{"a header without end", strings.Repeat("x", extract.MaxRow+1), options, "1 last bad file: row must be at most 65536 bytes (is a quote not closed?): from row 1 on nothing was read"},
		{"an open quote in the header", `nhs_number,"record`, options, "1 last bad file: header must be on one line and close its quotes"},
		{"300 columns", "record" + strings.Repeat(",x", 300), options, "1 last bad file: header must have at most 256 columns"},
	} {
		wantTold(t, c.name, items(t, c.text, c.o), c.want)
	}
	many := items(t, "nhs_number,record,occurred_at,programme,dose,plus,lsoa,status,time,cohort,source,postcode,ethnicity,"+strings.Repeat("forename,", 11)+"surname\n", options)
	if len(many) != 1 || !strings.HasSuffix(many[0].Problem.Rule, "; column 23 is none of the layout own; and 2 more") {
		t.Errorf("%q", told(many))
	}
	missing := items(t, "UNIQUE_ID|ACTION_FLAG\n", extract.Options{})
	if len(missing) != 1 || !strings.Contains(missing[0].Problem.Rule, "column NHS_NUMBER must be there; column UNIQUE_ID_URI must be there") {
		t.Errorf("%q", told(missing))
	}
}

func TestRowsWithProblemsLeaveTheOthers(t *testing.T) {
	const header = "nhs_number,record,occurred_at,programme,practice\n"
	const row = ",17,2026-10-03,flu-65,\n"
	const fields = "bad row: row must have as many fields as the header: 5, not "
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"too few and too many fields", header + "1,2\n" + row + "1,2,3,4,5,6\n" + row, []string{"2 " + fields + "2", "3 ok", "4 " + fields + "6", "5 ok"}},
		{"empty rows count but say nothing", header + row + "\n,,,,\n \"\" ,,,,\n\n" + row, []string{"2 ok", "7 ok"}},
		{"no line end at the end", header + row + strings.TrimSpace(row), []string{"2 ok", "3 ok"}},
		{"an empty line before the header", "\n" + header + row, []string{"3 ok"}},
		{"a byte order mark", "\xef\xbb\xbf" + header + row, []string{"2 ok"}},
		{"a byte order mark before a quote", "\xef\xbb\xbf" + `"nhs_number",record,occurred_at,programme` + "\n,17,2026-10-03,flu-65", []string{"2 ok"}},
		{"NUL", header + ",17,2026-10-03,flu-65,\x00\n" + row, []string{"2 bad row: row must not hold a NUL byte", "3 ok"}},
		{"a line break in a value", header + ",\"1\n7\",2026-10-03,flu-65,\n" + row, []string{"2 bad row: record must not hold line breaks, tabs and other control characters", "3 ok"}},
		{"a quote in a value", header + ",1\"7,2026-10-03,flu-65,\n" + row, []string{"2 bad row: record must be all inside quotes or all without: a quote inside is written twice", "3 ok"}},
		{"text behind a quote", header + ",\"1\"7,2026-10-03,flu-65,\n" + row, []string{"2 bad row: record must be all inside quotes or all without: a quote inside is written twice", "3 ok"}},
		{"a quote open over lines", header + ",\"17,2026-10-03,flu-65,\n,18,\"\"2026-10-03,flu-65,\n,19,2026-10-03\"x,flu-65,\n" + row,
			[]string{"2 " + fields + "4; it goes on over 3 lines: is a quote not closed?", "3 ok"}},
		{"a quote open to the end", header + row + ",\"17,2026-10-03,flu-65,\n" + row, []string{"2 ok", "3 last bad file: row must close its quote before the file ends: from row 3 on nothing was read"}},
		{"a quote open for very long", header + row + ",\"17,2026-10-03,flu-65,\n" + strings.Repeat(row, 20_000),
			[]string{"2 ok", "3 last bad file: row must be at most 65536 bytes (is a quote not closed?): from row 3 on nothing was read"}},
	} {
		wantTold(t, c.name, items(t, c.text, options), c.want...)
		wantTold(t, c.name+", with CRLF", items(t, strings.ReplaceAll(c.text, "\n", "\r\n"), options), c.want...)
	}
	wantTold(t, "CR", items(t, strings.ReplaceAll(header+"1,2\n"+row, "\n", "\r"), options), "2 "+fields+"2", "3 ok")
}

// What is in a column that is not read is nobody's business, as long as it does not shift the others.
func TestColumnsThatAreNotReadMayHoldAnything(t *testing.T) {
	s := one(t, nhsFile(t, nhsRow{"PERSON_SURNAME": "\"O\"Re\x81illy\"", "BATCH_NUMBER": "\"\x1b\t\r\n\n\"", "VACCINE_PRODUCT_TERM": `5" nee"dle`}), extract.Options{Encoding: extract.UTF8})
	if s.Record != "17" {
		t.Error(s.Record)
	}
}

func TestEncodings(t *testing.T) {
	const utf8Text = "nhs_number,record,occurred_at,programme\n,Zoë’s €17,2026-10-03,flu-65\n"
	windows, err := charmap.Windows1252.NewEncoder().String(utf8Text)
	if err != nil {
		t.Fatal(err)
	}
	with := func(e extract.Encoding) extract.Options {
		o := options
		o.Encoding = e
		return o
	}
	for name, s := range map[string]admit.Submission{
		"declared UTF-8":        one(t, utf8Text, with(extract.UTF8)),
		"undeclared UTF-8":      one(t, utf8Text, with(extract.Undeclared)),
		"UTF-8 with a mark":     one(t, "\xef\xbb\xbf"+utf8Text, with(extract.Undeclared)),
		"declared Windows-1252": one(t, windows, with(extract.Windows1252)),
	} {
		if s.Record != "Zoë’s €17" {
			t.Errorf("%s: %q", name, s.Record)
		}
	}
	wantTold(t, "Windows-1252 declared as UTF-8", items(t, windows, with(extract.UTF8)),
		"2 encoding: record must be UTF-8: is the file Windows-1252? Then the request must say so (charset=windows-1252)")
	wantTold(t, "Windows-1252 undeclared", items(t, windows, with(extract.Undeclared)),
		"2 encoding: record must be ASCII or UTF-8, unless the request says what else it is (charset=windows-1252)")
	// The id could be UTF-8, but the surname is not, so the row is something else and the id as well.
	doubtful := nhsFile(t, nhsRow{"PERSON_SURNAME": "Zo\xeb", "UNIQUE_ID": "Zo\xc3\xab"})
	wantTold(t, "a doubtful row", items(t, doubtful, with(extract.Undeclared)),
		"2 encoding: UNIQUE_ID must be ASCII in a row that is not UTF-8, unless the request says what it is (charset=windows-1252)")
	// As nearly every file: names in Windows-1252, and everything that is read in ASCII.
	if s := one(t, nhsFile(t, nhsRow{"PERSON_SURNAME": "Zo\xeb"}), with(extract.Undeclared)); s.Record != "17" {
		t.Error(s.Record)
	}
}

func TestParseEncodingAndLayout(t *testing.T) {
	for charset, want := range map[string]extract.Encoding{"": extract.Undeclared, "UTF-8": extract.UTF8, "us-ascii": extract.UTF8, "Windows-1252": extract.Windows1252, "iso-8859-1": extract.Windows1252} {
		if got, ok := extract.ParseEncoding(charset); !ok || got != want {
			t.Errorf("charset %q is %q, %v", charset, got, ok)
		}
	}
	for _, charset := range []string{"utf-16", "ebcdic", "windows-1251"} {
		if _, ok := extract.ParseEncoding(charset); ok {
			t.Errorf("charset %q is taken", charset)
		}
	}
	for name, want := range map[string]extract.Layout{"": extract.ByHeader, "own": extract.Own, "NHS-batch": extract.NHSBatch} {
		if got, ok := extract.ParseLayout(name); !ok || got != want {
			t.Errorf("layout %q is %q, %v", name, got, ok)
		}
	}
	if _, ok := extract.ParseLayout("fhir"); ok {
		t.Error("layout fhir is taken")
	}
}

func TestReasonsAreThoseOfTheDoor(t *testing.T) {
	for _, reason := range extract.Reasons {
		if !slices.Contains(admit.Reasons, reason) {
			t.Errorf("%q is no reason of the door", reason)
		}
	}
}

func TestParseFileTime(t *testing.T) {
	for name, want := range map[string]time.Time{
		"MMR_Vaccinations_v5_X26_20250730T11525000.csv":           time.Date(2025, 7, 30, 11, 52, 50, 0, time.UTC),
		"MMR_Vaccinations_v5_X26_20250730T11525001.CSV":           time.Date(2025, 7, 30, 10, 52, 50, 0, time.UTC),
		"/in/RSV_Vaccinations_v5_YGM41_20240229T00000000.dat":     time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		`C:\extracts.d\RSV_Vaccinations_v5_x_20240101T00000001.x`: time.Date(2023, 12, 31, 23, 0, 0, 0, time.UTC),
	} {
		if got, ok := extract.ParseFileTime(name); !ok || !got.Equal(want) {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "x.csv", "20250730T11525000.csv", "MMR_Vaccinations_v5_utf8.csv", "x_20250730T11525002.csv", "x_20250230T11525000.csv",
		"x_20250730T24000000.csv", "x_20250730T115250.csv", "x_20250730.csv", "x_20250730T1152500000.csv", "x_20250730 11525000.csv", "x_20250730T11525000_2.csv"} {
		if got, ok := extract.ParseFileTime(name); ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// nhsRow is what a row of the NHS layout says other than the usual, as it is written in the file.
type nhsRow map[string]string

// nhsFile is a file of the NHS layout with these rows.
func nhsFile(t testing.TB, rows ...nhsRow) string {
	t.Helper()
	usual := nhsRow{
		"NHS_NUMBER": `"9434765919"`, "PERSON_DOB": `"20200131"`, "PERSON_POSTCODE": `"NE23 1NW"`, "DATE_AND_TIME": `"20250730T11525000"`,
		"SITE_CODE": `"RJ1"`, "SITE_CODE_TYPE_URI": `"https://fhir.nhs.uk/Id/ods-organization-code"`, "UNIQUE_ID": `"17"`, "UNIQUE_ID_URI": `"urn:x"`,
		"ACTION_FLAG": `"new"`, "RECORDED_DATE": `"20250730"`, "VACCINATION_PROCEDURE_CODE": `"308081000000105"`, "DOSE_SEQUENCE": `"1"`,
		"VACCINE_PRODUCT_CODE": `"34925111000001104"`,
	}
	var names []string
	for _, c := range extract.Columns(extract.NHSBatch) {
		names = append(names, c.Name)
	}
	var b bytes.Buffer
	b.WriteString(strings.Join(names, "|") + "\n")
	for _, row := range rows {
		for name := range row {
			if !slices.Contains(names, name) {
				t.Fatalf("there is no column %s", name)
			}
		}
		for i, name := range names {
			if i > 0 {
				b.WriteByte('|')
			}
			value, ok := row[name]
			if !ok {
				value = cmp.Or(usual[name], `""`)
			}
			b.WriteString(value)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestNHSBatchRow(t *testing.T) {
	for layout, columns := range map[extract.Layout]int{extract.NHSBatch: 34, extract.Own: 20} {
		if n := len(extract.Columns(layout)); n != columns {
			t.Errorf("%s has %d columns", layout, n)
		}
	}
	want := admit.Submission{
		Source: "urn:x", Record: "17", Time: time.Date(2025, 7, 29, 23, 0, 0, 0, time.UTC),
		Status: event.Completed, Type: event.TypeVaccination,
		NHSNumber: "9434765919", BirthDate: "2020-01-31", Postcode: "NE23 1NW",
		Procedures: []admit.Code{{System: admit.SNOMED, Code: "308081000000105"}},
		Products:   []admit.Code{{System: admit.SNOMED, Code: "34925111000001104"}},
		OccurredAt: "2025-07-30T11:52:50Z", Dose: 1, Provider: "RJ1",
	}
	for _, c := range []struct {
		name   string
		row    nhsRow
		change func(*admit.Submission)
	}{
		{"as it is", nhsRow{}, func(*admit.Submission) {}},
		{"not quoted", nhsRow{"UNIQUE_ID": "17", "DOSE_SEQUENCE": "1"}, func(*admit.Submission) {}},
		{"an id as it is written", nhsRow{"UNIQUE_ID": `" O\'Reilly "`, "UNIQUE_ID_URI": "HTTPS://ravsTest-123"}, func(s *admit.Submission) { s.Record, s.Source = ` O\'Reilly `, "HTTPS://ravsTest-123" }},
		{"an update", nhsRow{"ACTION_FLAG": "update"}, func(s *admit.Submission) { s.Revision = admit.Correction }},
		{"an update in capitals", nhsRow{"ACTION_FLAG": `"UPDATE"`}, func(s *admit.Submission) { s.Revision = admit.Correction }},
		{"a delete", nhsRow{"ACTION_FLAG": `"Delete"`}, func(s *admit.Submission) { s.Revision, s.Status = admit.Correction, event.EnteredInError }},
		{"a delete with everything else wrong", nhsRow{"ACTION_FLAG": `"Delete"`, "DATE_AND_TIME": "x", "VACCINATION_PROCEDURE_CODE": "x", "VACCINE_PRODUCT_CODE": "x", "DOSE_SEQUENCE": "x",
			"PERSON_DOB": "x"}, func(s *admit.Submission) {
			*s = admit.Submission{Source: s.Source, Record: s.Record, Time: s.Time, Type: s.Type, NHSNumber: s.NHSNumber, Postcode: s.Postcode, Provider: s.Provider,
				Revision: admit.Correction, Status: event.EnteredInError}
		}},
		{"British Summer Time", nhsRow{"DATE_AND_TIME": "20250730T11525001"}, func(s *admit.Submission) { s.OccurredAt = "2025-07-30T11:52:50+01:00" }},
		{"no offset", nhsRow{"DATE_AND_TIME": "20250730T115250"}, func(*admit.Submission) {}},
		{"no time", nhsRow{"DATE_AND_TIME": "20250730"}, func(s *admit.Submission) { s.OccurredAt = "2025-07-30" }},
		{"what Admit refuses", nhsRow{"NHS_NUMBER": `""`, "DATE_AND_TIME": `""`}, func(s *admit.Submission) { s.NHSNumber, s.OccurredAt = "", "" }},
		{"no dose", nhsRow{"DOSE_SEQUENCE": `""`}, func(s *admit.Submission) { s.Dose = 0 }},
		{"no codes", nhsRow{"VACCINATION_PROCEDURE_CODE": `""`, "VACCINE_PRODUCT_CODE": "NAVU"}, func(s *admit.Submission) { s.Procedures, s.Products = nil, nil }},
		{"no birth date", nhsRow{"PERSON_DOB": `""`}, func(s *admit.Submission) { s.BirthDate = "" }},
		{"a site of another kind", nhsRow{"SITE_CODE_TYPE_URI": "https://other.example"}, func(s *admit.Submission) { s.Provider = "" }},
		{"a site's own code", nhsRow{"SITE_CODE_TYPE_URI": "https://fhir.nhs.uk/Id/ods-site-code"}, func(*admit.Submission) {}},
		{"an unknown site", nhsRow{"SITE_CODE": "x99999"}, func(s *admit.Submission) { s.Provider = "" }},
		{"a site in small letters", nhsRow{"SITE_CODE": "rj1"}, func(*admit.Submission) {}},
		{"recorded in winter", nhsRow{"RECORDED_DATE": "20250130"}, func(s *admit.Submission) { s.Time = time.Date(2025, 1, 30, 0, 0, 0, 0, time.UTC) }},
	} {
		expected := want
		c.change(&expected)
		text := nhsFile(t, c.row)
		same(t, c.name, one(t, text, extract.Options{Layout: extract.NHSBatch}), expected)
		same(t, c.name+", layout by header", one(t, strings.ToLower(text[:600])+text[600:], extract.Options{Source: "urn:not-this"}), expected)
		expected.Time = extractTime
		same(t, c.name+", time of the extract", one(t, text, options), expected)
	}
	same(t, "no recorded date but the extract's time", one(t, nhsFile(t, nhsRow{"RECORDED_DATE": `"?"`}), options), func() admit.Submission { s := want; s.Time = extractTime; return s }())
}

func TestNHSBatchProblems(t *testing.T) {
	for _, c := range []struct {
		column string
		values []string
		want   string
	}{
		{"UNIQUE_ID", []string{"", `" "`}, "missing field: UNIQUE_ID"},
		{"UNIQUE_ID_URI", []string{""}, "missing field: UNIQUE_ID_URI"},
		{"ACTION_FLAG", []string{"", "create", "new update", "DELETED"}, "bad revision: ACTION_FLAG"},
		{"RECORDED_DATE", []string{""}, "missing field: RECORDED_DATE"},
		{"RECORDED_DATE", []string{"2025-07-30", "20250732", "20250730T00000000", "30072025"}, "bad time: RECORDED_DATE"},
		{"DATE_AND_TIME", []string{"20250730T11525002", "20250730T240000", "20250730T116000", "20250730T115960", "20250229T115250", "20250730 115250", "2025-07-30T11:52:50Z", "20250730T1152501",
			"20250730T1152500", "20250730T", "2025073", "x"}, "bad day: DATE_AND_TIME"},
		{"VACCINATION_PROCEDURE_CODE", []string{"308081000000106", "3.08E+14", "NA"}, "bad code: VACCINATION_PROCEDURE_CODE"},
		{"DOSE_SEQUENCE", []string{"0", "10", "1.0", "B"}, "bad dose: DOSE_SEQUENCE"},
		{"PERSON_DOB", []string{"2020-01-31", "20200230", "2020", "31012020"}, "bad birth date: PERSON_DOB"},
	} {
		for _, value := range c.values {
			all := items(t, nhsFile(t, nhsRow{c.column: value}, nhsRow{}), extract.Options{})
			if len(all) != 2 || all[0].Problem == nil || !strings.HasPrefix(all[0].Problem.Error(), c.want+" ") || all[0].Last || all[1].Problem != nil {
				t.Errorf("%s %q: %q", c.column, value, told(all))
			}
		}
	}
}

// A product that is no code harms only where there is no procedure.
func TestNHSBatchProductThatIsNoCode(t *testing.T) {
	for _, product := range []string{"34925111000001100", "NAV", "Priorix"} {
		if s := one(t, nhsFile(t, nhsRow{"VACCINE_PRODUCT_CODE": product}), extract.Options{}); len(s.Products) != 0 || len(s.Procedures) != 1 {
			t.Errorf("%q: %v and %v", product, s.Procedures, s.Products)
		}
		all := items(t, nhsFile(t, nhsRow{"VACCINE_PRODUCT_CODE": product, "VACCINATION_PROCEDURE_CODE": ""}), extract.Options{})
		if len(all) != 1 || all[0].Problem == nil || all[0].Problem.Field != "VACCINE_PRODUCT_CODE" {
			t.Errorf("%q: %q", product, told(all))
		}
	}
}

var update = flag.Bool("update", false, "write schemas/CSV.md anew")

// schemas/CSV.md is the guide, and the guide names every column and says something of each.
func TestGuide(t *testing.T) {
	const file = "../../../schemas/CSV.md"
	guide := extract.Guide()
	if *update {
		if err := os.WriteFile(file, []byte(guide), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(file)
	if err != nil || string(written) != guide {
		t.Errorf("%s is not what extract.Guide says (%v): go test ./services/internal/extract -update", file, err)
	}
	var names []string
	for line := range strings.Lines(guide) {
		if cells := strings.Split(strings.ReplaceAll(strings.TrimSpace(line), `\|`, ""), "|"); len(cells) == 5 {
			names = append(names, strings.Split(strings.TrimSpace(cells[1]), ", ")...)
		}
	}
	for _, l := range []extract.Layout{extract.Own, extract.NHSBatch} {
		for _, c := range extract.Columns(l) {
			if !slices.Contains(names, c.Name) || c.Need == "" || c.Holds == "" {
				t.Errorf("the guide says nothing of %s of %s", c.Name, l)
			}
		}
	}
}

// The names that Admit uses lead back to the columns.
func TestWhere(t *testing.T) {
	own := one(t, "record,programme,occurred_at,nhs_number\n17,flu-65,2026-10-03,\n", options).Where
	timed := one(t, nhsFile(t, nhsRow{}), options).Where
	nhs := one(t, nhsFile(t, nhsRow{}), extract.Options{}).Where
	for _, c := range [][4]string{
		{"NHSNumber", "nhs_number", "NHS_NUMBER", "NHS_NUMBER"},
		{"BirthDate", "birth_date", "PERSON_DOB", "PERSON_DOB"},
		{"Postcode", "postcode", "PERSON_POSTCODE", "PERSON_POSTCODE"},
		{"LSOA", "lsoa", "PERSON_POSTCODE", "PERSON_POSTCODE"},
		{"OccurredAt", "occurred_at", "DATE_AND_TIME", "DATE_AND_TIME"},
		{"Time", "time", "RECORDED_DATE", "time of the extract"},
		{"Record", "record", "UNIQUE_ID", "UNIQUE_ID"},
		{"Source", "source", "UNIQUE_ID_URI", "UNIQUE_ID_URI"},
		{"Status", "status", "ACTION_FLAG", "ACTION_FLAG"},
		{"Revision", "revision", "ACTION_FLAG", "ACTION_FLAG"},
		{"Programme", "programme", "VACCINATION_PROCEDURE_CODE", "VACCINATION_PROCEDURE_CODE"},
		{"Procedures", "procedure_code", "VACCINATION_PROCEDURE_CODE", "VACCINATION_PROCEDURE_CODE"},
		{"Products", "product_code", "VACCINE_PRODUCT_CODE", "VACCINE_PRODUCT_CODE"},
		{"Checks", "check_code", "row", "row"},
		{"Dose", "dose", "DOSE_SEQUENCE", "DOSE_SEQUENCE"},
		{"Cohort", "cohort", "PERSON_DOB", "PERSON_DOB"},
		{"Ethnicity", "ethnicity", "row", "row"},
		{"Practice", "practice", "row", "row"},
		{"Provider", "provider", "SITE_CODE", "SITE_CODE"},
		{"Plus", "plus", "row", "row"},
	} {
		if got := [4]string{c[0], own(c[0]), nhs(c[0]), timed(c[0])}; got != c {
			t.Errorf("got %q, want %q", got, c)
		}
	}
}

// Wherever a reader breaks off, the whole rows before it are read, and half a row is none.
func TestAnErrorOfTheReaderIsTold(t *testing.T) {
	broken := errors.New("broken")
	text := "nhs_number,record,occurred_at,programme\n,17,2026-10-03,flu-65\n,18,2026-10-03,flu-6"
	for cut := range len(text) {
		var rows []int
		var last error
		for item, err := range extract.Read(io.MultiReader(strings.NewReader(text[:cut]), iotest.ErrReader(broken)), options) {
			if last = err; err == nil {
				rows = append(rows, item.Row)
				if item.Problem != nil {
					t.Errorf("cut at %d: %v", cut, item.Problem)
				}
			}
		}
		if whole := strings.Count(text[:cut], "\n") - 1; len(rows) != max(whole, 0) || !errors.Is(last, broken) {
			t.Errorf("cut at %d: rows %v and %v", cut, rows, last)
		}
	}
}

func TestBreakingOffStopsReading(t *testing.T) {
	text := "nhs_number,record,occurred_at,programme\n" + strings.Repeat(",17,2026-10-03,flu-65\n", 100_000)
	from := strings.NewReader(text)
	n := 0
	for _, err := range extract.Read(from, options) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 3 {
			break
		}
	}
	if n != 3 || from.Len() < len(text)-4*extract.MaxRow {
		t.Errorf("%d items, %d bytes left", n, from.Len())
	}
}
