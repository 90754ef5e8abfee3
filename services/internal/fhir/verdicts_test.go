package fhir_test

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
	"gapwatch/services/internal/fhir"
	"gapwatch/services/internal/mapping"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/pseudonym"
)

// verdict is a row of testdata/verdicts.csv: what becomes of one published example, or of one entry of it.
//
//	verdict    taken (an event if a programme takes it), retraction, no record, or rejected
//	stage      where it is rejected: decode (here) or admit (at the door, where codes and NHS numbers are judged)
//	publisher  what manifest.csv says in should_count_as_vaccination
//	why        where that differs from our verdict, or leaves it to a policy
type verdict struct {
	file, entry, verdict, stage, field, reason, publisher, why string
}

// table reads a CSV file by its header.
func table(t *testing.T, file string) []map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	for _, row := range rows[1:] {
		m := make(map[string]string, len(row))
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		all = append(all, m)
	}
	return all
}

func verdicts(t *testing.T) []verdict {
	t.Helper()
	var all []verdict
	for _, m := range table(t, "testdata/verdicts.csv") {
		all = append(all, verdict{m["file"], m["entry"], m["verdict"], m["stage"], m["field"], m["reason"], m["publisher"], m["why"]})
	}
	return all
}

// realData is the folder of published examples, which tests read in place.
func realData(t *testing.T) string {
	t.Helper()
	root := os.Getenv("GAPWATCH_REAL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	folder := filepath.Join(root, "events")
	if _, err := os.Stat(folder); os.IsNotExist(err) {
		t.Skipf("no real data at %s: set GAPWATCH_REAL_DATA", folder)
	}
	return folder
}

// newDoor judges by the programmes and mapping that the binary carries, on a day in the autumn of 2026.
func newDoor(t testing.TB) *admit.Door {
	t.Helper()
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := mapping.Load("", set)
	if err != nil {
		t.Fatal(err)
	}
	generated, err := pseudonym.Generate("k1")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pseudonym.Parse("keys.yaml", generated)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return &admit.Door{Programmes: set, Mapping: tables, Keys: keys, Now: func() time.Time { return now }}
}

var everything = admit.Scope{Sources: []string{admit.Any}, Programmes: []string{admit.Any}}

func TestVerdicts(t *testing.T) {
	folder := realData(t)
	door := newDoor(t)
	for _, v := range verdicts(t) {
		t.Run(strings.TrimSuffix(v.file+" "+v.entry, " "), func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(v.file)))
			if err != nil {
				t.Fatal(err)
			}
			item := readEntry(t, body, v.entry)
			got, stage, problem := judge(door, &item)
			var field, reason string
			if problem != nil {
				field, reason = problem.Field, problem.Reason
				if !slices.Contains(admit.Reasons, reason) {
					t.Errorf("%q is no reason of the closed list", reason)
				}
			}
			if got != v.verdict || stage != v.stage && v.verdict == "rejected" || field != v.field || reason != v.reason {
				t.Errorf("%s at %s: %s %s, want %s at %s: %s %s", got, stage, field, reason, v.verdict, v.stage, v.field, v.reason)
			}
		})
	}
}

func readEntry(t *testing.T, body []byte, entry string) fhir.Item {
	t.Helper()
	o := fhir.Options{Source: "https://sender.example/fhir"}
	if entry == "" {
		sub, problem, skip := fhir.Decode(body, o)
		return fhir.Item{Submission: sub, Problem: problem, Skip: skip}
	}
	n, err := strconv.Atoi(entry)
	if err != nil {
		t.Fatal(err)
	}
	_, entries, problem := fhir.Bundle(body, o)
	if problem != nil {
		t.Fatal(problem)
	}
	for item := range entries {
		if item.Index == n {
			return item
		}
	}
	t.Fatalf("no entry %d", n)
	return fhir.Item{}
}

func judge(door *admit.Door, item *fhir.Item) (verdict, stage string, _ *admit.Problem) {
	switch {
	case item.Problem != nil:
		return "rejected", "decode", item.Problem
	case item.Skip:
		return "no record", "decode", nil
	}
	if _, problem := door.Admit(&item.Submission, everything); problem != nil {
		return "rejected", "admit", problem
	}
	if item.Submission.Status == event.EnteredInError {
		return "retraction", "", nil
	}
	return "taken", "", nil
}

// Every example has a row, the rows say what the manifest says, and each difference says why.
func TestVerdictsAreWhole(t *testing.T) {
	manifest := make(map[string]string)
	for _, m := range table(t, filepath.Join(realData(t), "manifest.csv")) {
		manifest[m["file"]] = m["should_count_as_vaccination"]
	}
	rows := make(map[string]bool)
	for _, v := range verdicts(t) {
		rows[v.file] = true
		says, there := manifest[v.file]
		if !there || says != v.publisher {
			t.Errorf("%s: the publisher says %q, the table %q", v.file, says, v.publisher)
		}
		taken := v.verdict == "taken"
		same := v.publisher == "True" && taken || v.publisher == "False" && !taken || v.publisher == "" && taken
		if same != (v.why == "") {
			t.Errorf("%s %s: publisher %q, verdict %s, why %q: a difference must say why, and nothing else", v.file, v.entry, v.publisher, v.verdict, v.why)
		}
	}
	for file := range manifest {
		if strings.HasPrefix(file, "fhir_") && !rows[file] {
			t.Errorf("%s: no row", file)
		}
	}
}
