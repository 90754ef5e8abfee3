package extract_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/extract"
	"gapwatch/services/internal/pseudonym"
)

// TestRealBatchFiles holds every row of the publishers' batch files against testdata/verdicts.csv. What the table does not
// repeat, as it is a person's, is held against the file as encoding/csv reads it.
//
// In the table, form is this package's verdict, door that of the whole door where every record maps to a programme (otherwise
// what is taken is "no programme"), with the field that it names. Publisher is what the NHS's own converter and validators say
// (NHSDigital/immunisation-fhir-api at 44be4c18, lambdas/recordprocessor and lambdas/shared): the manifest says nothing of rows.
func TestRealBatchFiles(t *testing.T) {
	data := os.Getenv("GAPWATCH_REAL_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	folder := filepath.Join(data, "events", "nhs_batch")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("no real data: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	verdicts := table(t, filepath.Join("testdata", "verdicts.csv"), ',')
	for _, path := range files {
		name := filepath.Base(path)
		rows := table(t, path, '|')
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all := items(t, string(file), extract.Options{Layout: extract.NHSBatch, Encoding: extract.UTF8})
		if len(all) != len(rows) {
			t.Fatalf("%s: %d items of %d rows", name, len(all), len(rows))
		}
		for i, item := range all {
			at := slices.IndexFunc(verdicts, func(v map[string]string) bool { return v["file"] == name && v["row"] == strconv.Itoa(i+2) })
			if at < 0 {
				t.Errorf("%s has no verdict on row %d", name, i+2)
				continue
			}
			v, row, s := verdicts[at], rows[i], item.Submission
			verdicts = slices.Delete(verdicts, at, at+1)
			form := "taken"
			if item.Problem != nil {
				form = "rejected: " + item.Problem.Field
			}
			got := map[string]string{
				"file": name, "row": strconv.Itoa(item.Row), "form": form, "record": s.Record, "source": s.Source, "revision": revisions[s.Revision],
				"status": s.Status.String(), "time": s.Time.Format(time.RFC3339), "occurred_at": s.OccurredAt, "procedure_code": onlyCode(t, s.Procedures),
				"product_code": onlyCode(t, s.Products), "dose": strconv.Itoa(int(s.Dose)), "provider": s.Provider,
			}
			for column, value := range got {
				if v[column] != value {
					t.Errorf("%s, row %d: %s is %q, the table says %q", name, item.Row, column, value, v[column])
				}
			}
			if s.NHSNumber != row["NHS_NUMBER"] || s.Postcode != row["PERSON_POSTCODE"] || strings.ReplaceAll(s.BirthDate, "-", "") != row["PERSON_DOB"] {
				t.Errorf("%s, row %d: the person is not that of the file", name, item.Row)
			}
			_, err := pseudonym.ParseNHSNumber(row["NHS_NUMBER"])
			door := map[bool][2]string{true: {"taken", ""}, false: {"rejected", "NHS_NUMBER"}}[err == nil]
			if got := [2]string{v["door"], v["door_field"]}; got != door {
				t.Errorf("%s, row %d: the door's verdict is %q, the table says %q", name, item.Row, door, got)
			}
			if s.Type != event.TypeVaccination || s.Programme != "" || s.Practice != "" {
				t.Errorf("%s, row %d: %s, %q, %q", name, item.Row, s.Type, s.Programme, s.Practice)
			}
		}
	}
	for _, v := range verdicts {
		t.Errorf("the table has a row %s of %s, and there is none", v["row"], v["file"])
	}
}

var revisions = map[admit.Revision]string{admit.First: "new", admit.Correction: "update", admit.UnknownRevision: ""}

func onlyCode(t *testing.T, codes []admit.Code) string {
	t.Helper()
	if len(codes) != 1 || codes[0].System != admit.SNOMED {
		t.Errorf("codes %v", codes)
		return ""
	}
	return codes[0].Code
}

// table is the rows of a CSV file by the names of its columns.
func table(t *testing.T, path string, comma rune) []map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader := csv.NewReader(file)
	reader.Comma = comma
	all, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, fields := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = fields[i]
		}
		rows = append(rows, row)
	}
	return rows
}
