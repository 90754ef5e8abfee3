package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"gapwatch/services/internal/load"
	"gapwatch/services/internal/reference"
)

// progress tells about long files, a line a second; short ones are over before.
func progress(w io.Writer) func(load.Progress) {
	last := time.Now()
	return func(p load.Progress) {
		if time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		_, _ = fmt.Fprintf(w, "%s %s: %s rows, %d %%\n", p.Phase, filepath.Base(p.File), grouped(p.Rows), 100*p.Bytes/max(p.Size, 1))
	}
}

// show prints one line a file and what the load came to.
func show(w io.Writer, plan *load.Plan, report reference.Report) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "file\tkind\trows\toutcome\tseconds")
	for _, f := range report.Files {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.1f\n", filepath.Base(f.File.Path), f.File.Kind, grouped(f.File.Rows),
			outcome(f), (f.File.Took + f.Took).Seconds())
	}
	for _, s := range plan.Skipped {
		_, _ = fmt.Fprintf(table, "%s\tskipped\t\t%s\t\n", filepath.Base(s.Path), s.Why)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if a := report.Areas; a != nil {
		_, _ = fmt.Fprintf(w, "areas: %s LSOA codes, %s of them outside England; unknown of the others: neighbourhood %s, place %s, system %s, region %s, quintile of 2019 %s, of 2025 %s\n",
			grouped(a.Codes), grouped(a.Outside), grouped(a.NoNeighbourhood), grouped(a.NoPlace), grouped(a.NoSystem), grouped(a.NoRegion),
			grouped(a.NoQuintile2019), grouped(a.NoQuintile2025))
	}
	end := "nothing had changed"
	if report.Load > 0 {
		end = fmt.Sprintf("load %d is in force", report.Load)
	}
	_, err := fmt.Fprintf(w, "%s (%.1f s)\n", end, report.Took.Seconds())
	return err
}

func outcome(f reference.FileReport) string {
	var parts []string
	switch {
	case f.Loaded > 0 && f.Unchanged > 0:
		parts = append(parts, fmt.Sprintf("%d loaded, %d unchanged", f.Loaded, f.Unchanged))
	case f.Loaded > 0:
		parts = append(parts, "loaded")
	default:
		parts = append(parts, "unchanged")
	}
	if l := f.File.Lookups; l != nil {
		for _, r := range l.Relations {
			parts = append(parts, r.Name)
		}
		if l.Ended > 0 {
			parts = append(parts, fmt.Sprintf("%s that have left their PCN left out", grouped(l.Ended)))
		}
	}
	return strings.Join(parts, ", ")
}

// grouped is a number with a comma between thousands.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
