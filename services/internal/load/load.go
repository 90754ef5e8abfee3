// Package load reads and checks the files that people load: look-ups, eligible people, published series, interventions
// and area flags. Files are recognised by the names of their columns, whatever their order or case.
//
// A file is checked whole before anything is written: [Check] reads all of it and either returns what it holds or says,
// by file, row, column and rule, what is wrong. Files of single rows are read a second time when they are written, so
// that they may be far larger than memory; a file that changed in between is refused.
package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gapwatch/services/internal/programme"
)

// Kind is what a file, or a part of a load, holds.
type Kind string

// The kinds as prevention.loads names them. A look-up file has parts of the kinds Lookup, Practices and Names.
const (
	Lookup        Kind = "lookup"
	Practices     Kind = "practices"
	Names         Kind = "names"
	Eligible      Kind = "eligible"
	History       Kind = "history"
	Interventions Kind = "interventions"
	Flags         Kind = "flags"
)

// Part is what a load replaces as one piece.
type Part struct {
	Kind Kind
	// Key is the relation for look-ups, level/relation for names, programme/season/valid_from for eligible people,
	// programme/season/geography for series, the programme for interventions, and label, tab, source for flags.
	Key    string
	SHA256 string // of the content, whatever the order of its rows, in hex
	Rows   int
}

// File is one checked file.
type File struct {
	Path    string
	Kind    Kind // Lookup also where it holds practices
	Rows    int
	Size    int64 // bytes
	Took    time.Duration
	Parts   []Part
	Lookups *Lookups // of a file of kind Lookup

	options Options
}

// Skipped is a file of a folder that is none of those that can be loaded.
type Skipped struct{ Path, Why string }

// Plan is files that may be loaded together.
type Plan struct {
	Files   []*File
	Skipped []Skipped
}

// Options is what files are checked against.
type Options struct {
	Programmes *programme.Set // needed
	Progress   func(Progress) // called every 10,000 rows of a file and at its end; may be nil
}

// Check reads the files, and the .csv files of folders, and checks every row of them. A file named by itself must be one
// that can be loaded; in a folder others are skipped. The error is [*Problems] if a file must not be loaded, otherwise
// of the file system or the context.
func Check(ctx context.Context, paths []string, o Options) (*Plan, error) {
	plan := &Plan{}
	problems := &Problems{}
	for _, path := range paths {
		files, folder, err := list(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			err := plan.check(ctx, file, folder, o, problems)
			if err != nil && !errors.Is(err, errUnreadable) {
				return nil, err
			}
		}
	}
	plan.compare(problems)
	if err := problems.err(); err != nil {
		return nil, err
	}
	return plan, nil
}

// list is the files that a path names, and whether it is a folder.
func list(path string) ([]string, bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, false, err
	}
	if !info.IsDir() {
		return []string{path}, false, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, false, err
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && strings.EqualFold(filepath.Ext(e.Name()), ".csv") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, false, fmt.Errorf("%s: the folder has no .csv file", path)
	}
	return files, true, nil
}

func (p *Plan) check(ctx context.Context, path string, folder bool, o Options, problems *Problems) error {
	begun := time.Now()
	t, err := openTable(path, problems)
	if err != nil {
		return err
	}
	defer t.close()
	f := &File{Path: path, options: o}
	if f.Kind, err = recognise(t); err != nil {
		return err
	}
	switch f.Kind {
	case Lookup:
		if f.Lookups, err = readLookups(ctx, t, o); err == nil {
			f.Parts = f.Lookups.parts()
		}
	case Eligible:
		f.Parts, err = eligibleLayout.scan(ctx, t, o, "checking", true, nil)
	case History:
		f.Parts, err = historyLayout.scan(ctx, t, o, "checking", true, nil)
	case Interventions:
		f.Parts, err = interventionsLayout.scan(ctx, t, o, "checking", true, nil)
	case Flags:
		f.Parts, err = flagsLayout.scan(ctx, t, o, "checking", true, nil)
	default:
		why := "its columns are those of no file that can be loaded" + hint(t)
		if !folder {
			return t.unreadable(1, why)
		}
		p.Skipped = append(p.Skipped, Skipped{path, why})
		return nil
	}
	if err != nil {
		return err
	}
	f.Rows, f.Size, f.Took = t.rows, t.size, time.Since(begun)
	p.Files = append(p.Files, f)
	return nil
}

// recognise is the kind of a file by its columns; empty if it is of no kind. A file of rows may have other columns, a
// look-up's too; so rows come first. A file that has most columns of a kind but not all, or all of two, is a problem.
func recognise(t *table) (Kind, error) {
	type guess struct {
		kind    Kind
		columns []string
		missing []string
	}
	guesses := []guess{
		{kind: Eligible, columns: eligibleLayout.columns}, {kind: History, columns: historyLayout.columns},
		{kind: Interventions, columns: interventionsLayout.columns}, {kind: Flags, columns: flagsLayout.columns},
	}
	for i := range guesses {
		for _, column := range guesses[i].columns {
			if t.find(normal(column)) < 0 {
				guesses[i].missing = append(guesses[i].missing, column)
			}
		}
	}
	slices.SortStableFunc(guesses, func(a, b guess) int { return cmp.Compare(len(a.missing), len(b.missing)) })
	best, second := guesses[0], guesses[1]
	imd, links, practices := lookupsIn(lookupColumnsOf(t))
	lookup := imd != "" || len(links) > 0 || practices
	switch {
	case len(second.missing) == 0:
		return "", t.unreadable(1, fmt.Sprintf("is of two kinds by its columns, %s and %s: leave out those that only one of them has",
			best.kind, second.kind))
	case len(best.missing) == 0:
		return best.kind, nil
	case lookup && 3*len(best.missing) < len(best.columns): // with fewer it is a look-up that has a source or a from and to
		return "", t.unreadable(1, fmt.Sprintf(
			"is of kind %s by its columns and, but for %s, of kind %s: add what is missing, or leave out what the look-up does not need",
			Lookup, strings.Join(best.missing, ", "), best.kind))
	case lookup:
		return Lookup, nil
	case 2*len(best.missing) >= len(best.columns):
		return "", nil
	}
	t.problems.add(Problem{File: t.path, Row: 1, Column: best.missing[0], Rule: fmt.Sprintf(
		"is missing: a file of kind %s has the columns %s", best.kind, strings.Join(best.columns, ", "))})
	return "", errUnreadable
}

// hint says why a look-up of other years is none.
func hint(t *table) string {
	for i, column := range t.columns {
		if g, ok := geographyOf(column); ok && (g.entity == "lad" || g.entity == "icb" || g.entity == "rgn") && g.year != 2024 {
			return fmt.Sprintf(" (%s is of %d: areas are those of 2024 by the 2021 LSOA)", shown(t.header[i]), g.year)
		}
	}
	return ""
}

// compare finds what two files would replace both. Look-ups that say the same are dropped from the second.
func (p *Plan) compare(problems *Problems) {
	type key struct {
		kind Kind
		key  string
	}
	first := map[key]Part{}
	by := map[key]string{}
	for _, f := range p.Files {
		f.Parts = slices.DeleteFunc(f.Parts, func(part Part) bool {
			k := key{part.Kind, part.Key}
			before, ok := first[k]
			if !ok {
				first[k], by[k] = part, f.Path
				return false
			}
			if f.Kind == Lookup && before.SHA256 == part.SHA256 {
				return true
			}
			problems.add(Problem{File: f.Path, Rule: fmt.Sprintf("must not give the same as %s: %s %s",
				by[k], part.Kind, strings.ReplaceAll(part.Key, "\t", ", "))})
			return false
		})
	}
}

// errChanged means that a file is not what it was when it was checked.
func (f *File) errChanged() error {
	return fmt.Errorf("%s: the file changed while it was being loaded; nothing of it was loaded", f.Path)
}

// EachEligible reads the file again and hands over its rows. It stops at the first error of each and returns it. It fails
// if the file is not what it was when it was checked; rows were then handed over that must not be used.
func (f *File) EachEligible(ctx context.Context, each func(EligibleRow) error) error {
	return again(ctx, f, eligibleLayout, each)
}

// EachHistory is EachEligible for a published series.
func (f *File) EachHistory(ctx context.Context, each func(HistoryRow) error) error {
	return again(ctx, f, historyLayout, each)
}

// EachIntervention is EachEligible for interventions.
func (f *File) EachIntervention(ctx context.Context, each func(InterventionRow) error) error {
	return again(ctx, f, interventionsLayout, each)
}

// EachFlag is EachEligible for area flags.
func (f *File) EachFlag(ctx context.Context, each func(FlagRow) error) error {
	return again(ctx, f, flagsLayout, each)
}

func again[Row interface{ Key() string }](ctx context.Context, f *File, l layout[Row], each func(Row) error) error {
	if f.Kind != l.kind {
		return fmt.Errorf("%s: holds %s, not %s", f.Path, f.Kind, l.kind)
	}
	problems := &Problems{}
	t, err := openTable(f.Path, problems)
	if errors.Is(err, errUnreadable) {
		return f.errChanged()
	}
	if err != nil {
		return err
	}
	defer t.close()
	if slices.Contains(l.columnsOf(t), -1) {
		return f.errChanged()
	}
	parts, err := l.scan(ctx, t, f.options, "loading", false, each)
	if errors.Is(err, errUnreadable) || !problems.empty() {
		return f.errChanged()
	}
	if err != nil {
		return err
	}
	if !slices.Equal(parts, f.Parts) {
		return f.errChanged()
	}
	return nil
}
