package cloudevent_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/intake/cloudevent"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// FuzzDecode feeds anything. Its seeds are the examples of the contract, right and wrong.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(whole))
	for _, pattern := range []string{"valid", "invalid"} {
		files, err := filepath.Glob("../../../../schemas/events/examples/" + pattern + "/*.json")
		if err != nil || len(files) == 0 {
			f.Fatal(err)
		}
		for _, file := range files {
			f.Add(read(f, file))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := slices.Clone(data)
		sub, problem := cloudevent.Decode(data)
		if !slices.Equal(before, data) {
			t.Error("it changed what it read")
		}
		if problem != nil {
			if !slices.Contains(admit.Reasons, problem.Reason) || problem.Field == "" || problem.Rule == "" {
				t.Errorf("%+v", problem)
			}
			if !cmp.Equal(sub, admit.Submission{Source: sub.Source, Record: sub.Record}) {
				t.Errorf("a problem, and more than names: %+v", sub)
			}
			return
		}
		if !json.Valid(data) || !utf8.Valid(data) {
			t.Errorf("%q was taken", data)
		}
		again, problem := cloudevent.Decode(before)
		clear(before) // what was read must not depend on it any more
		sub.Where, again.Where = nil, nil
		if problem != nil || !cmp.Equal(sub, again) {
			t.Errorf("twice the same, and another outcome: %v", problem)
		}
	})
}
