package livetable_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/livetable"
)

var update = flag.Bool("update", false, "write the golden files anew")

var example = livetable.Table{
	Rows: []livetable.Row{
		{Programme: "flu-65", Season: "2026-27", Eligible: [6]int64{1200, 50_000, 51_000, 52_000, 53_000, 54_000}, Covered: [6]int64{600, 20_000, 23_000, 26_000, 29_000, 32_400},
			Floor: 100, Complete: calendar.Date(2026, 11, 8), Verdict: "widening",
			Then: inequality.Quintiles{{Covered: 18_000, Eligible: 50_000}, {Covered: 21_000, Eligible: 51_000}, {Covered: 24_000, Eligible: 52_000}, {Covered: 27_000, Eligible: 53_000}, {Covered: 30_000, Eligible: 54_000}}},
		{Programme: "nhs-health-check", Season: "rolling", Eligible: [6]int64{0, 100, 100, 100, 100, 100}, Covered: [6]int64{0, 55, 50, 50, 50, 45}}, // the gap the other way round
		{Programme: "mmr-2", Season: "2026-27", Covered: [6]int64{0, 1, 2, 3, 4, 5}},                                                                 // no denominator
		{Programme: "bp-check", Season: "rolling", Eligible: [6]int64{0, 1_234_567, 0, 0, 0, 1}},                                                     // nobody covered, fifths without anybody
	},
	Foot: []string{"below the table"},
}

func TestRender(t *testing.T) {
	golden(t, "testdata/table.txt", livetable.Render(example))
	golden(t, "testdata/empty.txt", livetable.Render(livetable.Table{}))
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// show draws n times and returns what was written.
func show(t *testing.T, width func() int, n int, read func(i int) (livetable.Table, error)) string {
	t.Helper()
	var out bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	drawn := 0
	err := livetable.Screen{Out: &out, Width: width, Every: time.Nanosecond}.Show(ctx, func(context.Context) (livetable.Table, error) {
		if drawn++; drawn > n {
			stop()
		}
		return read(drawn)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestShowDrawsOverTheLastTable(t *testing.T) {
	table := func(i int) (livetable.Table, error) {
		if i == 2 {
			return livetable.Table{}, errors.New("the engine\nis away")
		}
		return example, nil
	}
	whole := livetable.Render(example)
	got := show(t, func() int { return 0 }, 3, table)
	const away = "cannot be shown right now: the engine is away\n"
	if want := whole + "\x1b[7A\x1b[J" + away + "\x1b[1A\x1b[J" + whole; got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	// Lines that are longer than the terminal would take two of its lines, and so the next table would start too low.
	for _, line := range strings.Split(show(t, func() int { return 40 }, 1, table), "\n") {
		if len(line) > 40 {
			t.Errorf("%q is longer than the terminal is wide", line)
		}
	}
}

func TestShowWithoutTerminalHasNoCodes(t *testing.T) {
	got := show(t, nil, 2, func(int) (livetable.Table, error) { return example, nil })
	if want := livetable.Render(example); got != want+want {
		t.Errorf("got\n%q", got)
	}
}

func TestShowEndsWhenItCannotWrite(t *testing.T) {
	file, err := os.Open(os.DevNull) // not for writing
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	err = livetable.Screen{Out: file, Every: time.Hour}.Show(t.Context(), func(context.Context) (livetable.Table, error) { return example, nil })
	if !errors.Is(err, os.ErrPermission) && err == nil {
		t.Error("no error")
	}
}
