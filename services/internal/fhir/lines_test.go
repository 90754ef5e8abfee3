package fhir

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }

func TestLines(t *testing.T) {
	good := oneLine(sample)
	long := strings.Replace(good, `"Northmoor"`, `"`+strings.Repeat("x", 100_000)+`"`, 1)
	tooLong := strings.Replace(good, `"Northmoor"`, `"`+strings.Repeat("x", 3*MaxBytes)+`"`, 1)
	exact := good + strings.Repeat(" ", MaxBytes-len(good))
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"two", good + "\n" + oneLine(pressure) + "\n", []string{"0 Immunization", "1 Observation"}},
		{"no line end at the end", good + "\n" + good, []string{"0 Immunization", "1 Immunization"}},
		{"Windows", "\uFEFF" + good + "\r\n" + good + "\r\n", []string{"0 Immunization", "1 Immunization"}},
		{"empty lines", "\n\n" + good + "\n  \r\n" + good + "\n\n", []string{"2 Immunization", "4 Immunization"}},
		{"nothing", "", nil},
		{"others and bad ones", `{"resourceType":"Patient"}` + "\n{\n" + good + "\n[]\n", []string{"0 Patient skip", "1 not JSON", "2 Immunization", "3 bad value"}},
		{"longer than the buffer", good + "\n" + long + "\n" + good, []string{"0 Immunization", "1 Immunization", "2 Immunization"}},
		{"too long", good + "\n" + tooLong + "\n" + good, []string{"0 Immunization", "1 too large", "2 Immunization"}},
		{"too long at the end", tooLong, []string{"0 too large"}},
		{"spaces do not make it too long", exact + strings.Repeat(" ", 10) + "\r\n" + good, []string{"0 Immunization", "1 Immunization"}},
		{"a resource over several lines", "{\n\"resourceType\":\"Patient\"}", []string{"0 not JSON", "1 bad value"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(test.body), iotest.HalfReader(strings.NewReader(test.body))} {
				var got []string
				for item, err := range Lines(r, options) {
					if err != nil {
						t.Fatal(err)
					}
					text := fmt.Sprint(item.Index, " ", item.Type)
					if item.Problem != nil {
						text = fmt.Sprint(item.Index, " ", item.Problem.Reason)
					}
					if item.Skip {
						text += " skip"
					}
					got = append(got, text)
				}
				if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
					t.Errorf("got %q, want %q", got, test.want)
				}
			}
		})
	}
}

// A body that is cut off ends with the reader's error, and the half line is no item.
func TestLinesCutOff(t *testing.T) {
	good := oneLine(sample)
	cut := fmt.Errorf("cut off: %w", io.EOF)
	n := 0
	var last error
	for item, err := range Lines(io.MultiReader(strings.NewReader(good+"\n"+good[:100]), iotest.ErrReader(cut)), options) {
		if last = err; err == nil {
			n++
		} else if item.Problem != nil || item.Index != 1 {
			t.Errorf("%+v", item)
		}
	}
	if n != 1 || !errors.Is(last, cut) {
		t.Errorf("%d items, %v", n, last)
	}
}

// endless is a line without an end.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.left -= n
	return n, nil
}

// What is allocated for a body is bounded whatever stands in it.
func TestMemory(t *testing.T) {
	fill := func(before, each, after string, size int) string {
		return before + strings.Repeat(each, (size-len(before)-len(after))/len(each)) + strings.TrimSuffix(each, ",") + after
	}
	const size = MaxBytes - 100
	hostile := map[string]string{
		"identifiers":   fill(`{"resourceType":"Immunization","identifier":[`, "{},", `]}`, size),
		"protocols":     fill(`{"resourceType":"Immunization","protocolApplied":[`, "{},", `]}`, size),
		"contained":     fill(`{"resourceType":"Immunization","contained":[`, "0,", `]}`, size),
		"modifiers":     fill(`{"resourceType":"Immunization","modifierExtension":[`, "0,", `]}`, size),
		"components":    fill(`{"resourceType":"Observation","component":[`, "{},", `]}`, size),
		"keys":          fill(`{"resourceType":"Immunization"`, `,"a":0`, `}`, size),
		"arrays":        fill(`{"resourceType":"Immunization","x":`, `[`, ``, size),
		"open strings":  fill(`{"resourceType":"Immunization","x":`, `"\"`, ``, size),
		"one long text": fill(`{"resourceType":"Immunization","status":"`, `x`, `"}`, size),
	}
	for name, text := range hostile {
		if used := allocated(func() { _, _, _ = Decode([]byte(text), options) }); used > 16<<20 {
			t.Errorf("%s: %d MB for 1 MB", name, used>>20)
		}
	}
	if used := allocated(func() {
		for item, err := range Lines(&endless{left: 64 << 20}, options) {
			if err != nil || item.Problem == nil || item.Problem.Reason != "too large" {
				t.Errorf("%v %v", item.Problem, err)
			}
		}
	}); used > 16<<20 {
		t.Errorf("%d MB for a line of 64 MB", used>>20)
	}
	bundles := map[string]string{
		"entries":   fill(`{"resourceType":"Bundle","type":"batch","entry":[`, "{},", `]}`, 4<<20),
		"modifiers": fill(`{"resourceType":"Bundle","type":"batch","entry":[{"modifierExtension":[`, "0,", `]}]}`, 4<<20),
		"keys":      fill(`{"resourceType":"Bundle"`, `,"a":0`, `}`, 4<<20),
		"nesting":   fill(`{"resourceType":"Bundle","x":`, `[`, ``, 4<<20),
	}
	for name, text := range bundles {
		body := []byte(text)
		if used := allocated(func() {
			if _, items, problem := Bundle(body, options); problem == nil {
				for range items {
					continue
				}
			}
		}); used > 40<<20 {
			t.Errorf("Bundle of %s: %d MB for 4 MB", name, used>>20)
		}
	}
}

// allocated is how many bytes are allocated by doing something, which is more than are held at one time.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
