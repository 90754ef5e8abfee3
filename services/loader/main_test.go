package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/settings"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var seconds = regexp.MustCompile(`\d+\.\d`)

// What the command prints: for files that are loaded, for the same again, and for wrong ones.
func TestRun(t *testing.T) {
	env := environment{ClickHouse: settings.ClickHouse{ClickHouseURL: enginetest.URL(t)}}
	places := write(t, "places.csv", "LSOA21CD,LAD24CD\nX01000001,X07000001\nX01000002,\n")
	people := write(t, "people.csv", "programme,season,lsoa,practice,ethnicity,valid_from,eligible\nbp-check,rolling,X01000001,,,2024-01-01,1234\n")
	wrong := write(t, "wrong.csv", "practice,pcn\nA81001,?\n")
	load := func(paths ...string) (string, error) {
		var out, progress bytes.Buffer
		err := run(t.Context(), env, paths, &out, &progress)
		var lines []string
		for _, line := range strings.Split(seconds.ReplaceAllString(out.String(), "N"), "\n") {
			lines = append(lines, strings.TrimRight(line, " "))
		}
		return strings.Join(lines, "\n"), err
	}

	_, err := load(places, wrong)
	if want := wrong + ": row 2: column pcn: must be an ODS code: 3 to 12 capital letters and digits\nnothing was loaded"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for i, want := range []string{`file        kind      rows  outcome                seconds
places.csv  lookup    2     loaded, lsoa21-lad24   N
people.csv  eligible  1     loaded                 N
areas: 1 LSOA codes, 0 of them outside England; unknown of the others: neighbourhood 1, place 0, system 1, region 1, quintile of 2019 1, of 2025 1
load 1 is in force (N s)
`, `file        kind      rows  outcome                   seconds
places.csv  lookup    2     unchanged, lsoa21-lad24   N
people.csv  eligible  1     unchanged                 N
nothing had changed (N s)
`} {
		got, err := load(places, people)
		if err != nil {
			t.Fatal(err)
		}
		if squeeze(got) != squeeze(want) {
			t.Errorf("%d: got\n%s\nwant\n%s", i, got, want)
		}
	}
	if _, err := load(); err == nil || !strings.HasPrefix(err.Error(), "usage:") {
		t.Errorf("without files: %v", err)
	}
	env.ProgrammeFile = write(t, "programmes.yaml", "imd: 2025\nprogrammes: flu\n")
	if _, err := load(places); err == nil || err.Error() != env.ProgrammeFile+":2: programmes: must be a list of at least one" {
		t.Errorf("with a wrong programme file: %v", err)
	}
}

// squeeze makes the widths of columns irrelevant, which the times have a part in.
func squeeze(s string) string { return regexp.MustCompile(` +`).ReplaceAllString(s, " ") }

func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is shown as %s, want %s", n, got, want)
		}
	}
}
