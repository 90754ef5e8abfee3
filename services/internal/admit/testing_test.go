package admit_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/mapping"
	"gapwatch/services/internal/postcode"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/pseudonym"
)

// noon is when every test judges "in the future" by.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var everything = admit.Scope{Sources: []string{admit.Any}, Programmes: []string{admit.Any}}

// secret is a key of 32 bytes that nobody uses.
func secret(name string) string {
	return base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf("%-32.32s", name+" key of the tests of the door, 32 bytes")))
}

// keysOf are the keys before, during and after a key change.
func keysOf(t testing.TB, current, previous string) pseudonym.Keys {
	t.Helper()
	text := fmt.Sprintf("record: %s\ncurrent: {id: %s, key: %s}\n", secret("record"), current, secret(current))
	if previous != "" {
		text += fmt.Sprintf("previous: {id: %s, key: %s}\n", previous, secret(previous))
	}
	keys, err := pseudonym.Parse("keys.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newDoor(t testing.TB) *admit.Door {
	t.Helper()
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return doorOf(t, set)
}

func doorOf(t testing.TB, set *programme.Set) *admit.Door {
	t.Helper()
	tables, err := mapping.Load("", set)
	if err != nil {
		t.Fatal(err)
	}
	postcodes, err := postcode.Read("postcodes.csv", strings.NewReader("postcode,lsoa\nQQ1 1AA,X01000001\nQQ1 1AB,X01000005\nQQ1 1AC,\n"))
	if err != nil {
		t.Fatal(err)
	}
	return &admit.Door{Programmes: set, Mapping: tables, Keys: keysOf(t, "k1", ""), Postcodes: postcodes, Now: func() time.Time { return noon }}
}

func sct(codes ...string) []admit.Code {
	var all []admit.Code
	for _, code := range codes {
		all = append(all, admit.Code{System: admit.SNOMED, Code: code})
	}
	return all
}

// flu is a flu vaccination of somebody of 66, as a GP system sends it.
func flu() admit.Submission {
	return admit.Submission{
		Source: "https://gp.example/systems/1", Record: "vacc-1", Time: time.Date(2026, 11, 20, 9, 31, 22, 123456789, time.UTC),
		Status: event.Completed, Type: event.TypeVaccination, NHSNumber: "943 476 5919", BirthDate: "1960-02-28", Postcode: "qq1 1aa",
		Procedures: sct("822851000000102"), Diseases: [][]admit.Code{sct("6142004")}, OccurredAt: "2026-11-20T09:30:00Z",
		Ethnicity: "A", Practice: "A81001", Provider: "FA123", Plus: []string{"smi", "ld", "smi"},
	}
}

// mmr is an MMR vaccination of a child of the cohort 2026-27.
func mmr() admit.Submission {
	s := flu()
	s.BirthDate, s.OccurredAt = "2021-06-10", "2025-01-10"
	s.Procedures, s.Diseases, s.Dose = sct("38598009"), [][]admit.Code{sct("36653000", "14189004", "36989005")}, 2
	return s
}

// pressure is a blood pressure of somebody of 66.
func pressure() admit.Submission {
	s := flu()
	s.Type, s.Procedures, s.Diseases = event.TypeHealthCheck, nil, nil
	s.Checks = []admit.Code{{System: admit.LOINC, Code: "85354-9"}}
	return s
}

// admitted is a result that must not be a problem.
func admitted(t testing.TB, d *admit.Door, s admit.Submission) admit.Result {
	t.Helper()
	r, problem := d.Admit(&s, everything)
	if problem != nil {
		t.Fatalf("refused: %v", problem)
	}
	return r
}
