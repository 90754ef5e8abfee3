package simulate_test

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/load"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/simulate"
)

// The loader takes every file, and finds the areas that the files mean.
func TestReferenceFilesLoad(t *testing.T) {
	for _, edition := range []int{2025, 2019} {
		set := programme.NewSet(edition, programmes(t).Programmes...)
		h, err := simulate.New(simulate.Config{Seed: 1, People: 100_000, Now: now, Programmes: set})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := h.WriteReference(dir); err != nil {
			t.Fatal(err)
		}
		plan, err := load.Check(t.Context(), []string{dir}, load.Options{Programmes: set})
		if err != nil {
			t.Fatal(err)
		}
		if len(plan.Files) != 11 || len(plan.Skipped) != 0 {
			t.Errorf("%d files, skipped %v", len(plan.Files), plan.Skipped)
		}
		relations := map[string]*load.Relation{}
		rows := 0
		for _, f := range plan.Files {
			if f.Kind == load.Eligible {
				rows = f.Rows
			}
			if f.Lookups != nil {
				for _, r := range f.Lookups.Relations {
					relations[r.Name] = r
				}
			}
		}
		if rows != h.EligibleRows() || rows > 400_000 {
			t.Errorf("%d rows of eligible people, %d written", rows, h.EligibleRows())
		}
		want := readAreas(t, dir, edition)
		unknown := map[string]int{}
		for _, r := range area.Resolve(load.Raw(relations)) {
			w := want.lsoas[r.LSOA]
			a := r.Area(edition)
			if a.Neighbourhood != w.neighbourhood || a.Place != w.place || a.System != w.system || strconv.Itoa(int(a.Quintile)) != w.quintile {
				t.Errorf("%s is in %+v, read as %+v", r.LSOA, a, w)
			}
			for name, missing := range map[string]bool{
				"neighbourhood": a.Neighbourhood == "", "place": a.Place == "", "system": a.System == "", "quintile": a.Quintile == 0,
			} {
				if missing {
					unknown[name]++
				}
			}
		}
		for _, name := range []string{"neighbourhood", "place", "system", "quintile"} {
			if unknown[name] == 0 {
				t.Errorf("edition %d: no code of unknown %s: the look-up is too easy", edition, name)
			}
		}
	}
}

// The cells of eligible people are what eligible.csv adds up to, with and without practices and ethnic categories.
func TestEligibleIsWhatTheFileAddsUpTo(t *testing.T) {
	for _, h := range []*simulate.History{history(t, 1, 20_000), replay(t, read(t, smallSeries, "jab-a"))} {
		dir := t.TempDir()
		if err := h.WriteReference(dir); err != nil {
			t.Fatal(err)
		}
		c := &counter{areas: readAreas(t, dir, 2025), cells: map[simulate.Cell]simulate.Cell{}}
		total := uint32(0)
		for _, r := range readTable(t, dir+"/eligible.csv") {
			from, err := calendar.Parse(r["valid_from"])
			if err != nil {
				t.Fatal(err)
			}
			n, err := strconv.Atoi(r["eligible"])
			if err != nil {
				t.Fatal(err)
			}
			total += uint32(n)
			cells := c.at(r["programme"], r["season"], from, look{true, r["lsoa"], r["ethnicity"], r["practice"]})
			for i, cell := range cells {
				if i == 0 || i == 1 && r["practice"] != "" || i == 2 && r["ethnicity"] != "" {
					c.add(cell, func(c *simulate.Cell) { c.Newly += uint32(n) })
				}
			}
		}
		result, err := simulate.Compare(h.Eligible(), each(slices.Collect(maps.Values(c.cells))))
		if err != nil {
			t.Fatal(err)
		}
		if result.Mismatches > 0 || result.Cells < 10 || total == 0 {
			t.Errorf("%d of %d cells differ:\n%s", result.Mismatches, result.Cells, strings.Join(result.First, "\n"))
		}
	}
}

func TestReferenceFolderThatCannotBe(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := history(t, 1, 10).WriteReference(file); err == nil {
		t.Error("written into a file")
	}
}
