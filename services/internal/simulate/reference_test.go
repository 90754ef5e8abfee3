package simulate_test

import (
	"os"
	"strconv"
	"testing"

	"gapwatch/services/internal/area"
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

func TestReferenceFolderThatCannotBe(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := history(t, 1, 10).WriteReference(file); err == nil {
		t.Error("written into a file")
	}
}
