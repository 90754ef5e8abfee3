// Package measurefile measures the gap in a file of published counts and writes JSON lines, for analysts who check the
// measures and for scripts. It needs no server, and the programmes need not be known.
package measurefile

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/load"
	"gapwatch/services/internal/programme"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// Options are what is measured, and how.
type Options struct {
	Path  string    // a series file, or Stdin
	Stdin io.Reader // read where Path is Stdin
	Floor uint64    // a quintile with fewer eligible people is in no measure of inequality
}

// columns are those of a series file, for those whose file has others.
const columns = "a series file has the columns programme, season, geography, day, quintile, covered, eligible"

// Write reads a series file, whole, and writes one JSON object a line for each programme, season, geography and day, in
// that order, whatever the order of the rows. See [Line] for what a line holds.
//
// The rules for the file are those of the loader: columns by name in any order and case, others left alone; no two rows of
// one quintile and day. Rows of quintile 0 (not known) are checked and enter no measure. A wrong file is [*load.Problems],
// which names row, column and rule; nothing is written then, and only another file helps. Other errors are of the file
// system, of out, or the context's.
func Write(ctx context.Context, o Options, out io.Writer) error {
	days, err := read(ctx, o)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(out)
	for _, k := range slices.SortedFunc(maps.Keys(days), compare) {
		if err := writeLine(buffered, k, *days[k], o.Floor); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

// day is what one line is about.
type day struct {
	programme, season, geography string
	day                          calendar.Day
}

func compare(a, b day) int {
	return cmp.Or(cmp.Compare(a.programme, b.programme), cmp.Compare(a.season, b.season),
		cmp.Compare(a.geography, b.geography), cmp.Compare(a.day, b.day))
}

// read is the counts of the file.
func read(ctx context.Context, o Options) (map[day]*inequality.Quintiles, error) {
	path, name := o.Path, o.Path
	if path == Stdin {
		name = "standard input"
	}
	spooled, err := spool(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if spooled != "" {
		defer os.Remove(spooled) //nolint:errcheck // a temporary file
		path = spooled
	}
	plan, err := load.Check(ctx, []string{path}, load.Options{Programmes: &programme.Set{}})
	if err != nil {
		return nil, explain(err, name)
	}
	days := map[day]*inequality.Quintiles{}
	names := map[string]string{}
	one := func(name string) string { // one copy of each: that of a row keeps the whole row in memory
		if copied, ok := names[name]; ok {
			return copied
		}
		name = strings.Clone(name)
		names[name] = name
		return name
	}
	for _, file := range plan.Files {
		if file.Kind != load.History {
			return nil, fmt.Errorf("%s: holds %s, not a series; %s", name, file.Kind, columns)
		}
		err := file.EachHistory(ctx, func(r load.HistoryRow) error {
			k := day{one(r.Programme), one(r.Season), one(r.Geography), r.Day}
			q := days[k]
			if q == nil {
				q = &inequality.Quintiles{}
				days[k] = q
			}
			if r.Quintile > 0 {
				q[r.Quintile-1] = inequality.Count{Covered: r.Covered, Eligible: r.Eligible}
			}
			return nil
		})
		if err != nil {
			return nil, explain(err, name)
		}
	}
	return days, nil
}

// explain names the file as the user did and says what is asked for.
func explain(err error, name string) error {
	var problems *load.Problems
	if !errors.As(err, &problems) {
		return err
	}
	for i := range problems.List {
		problems.List[i].File = name
	}
	return fmt.Errorf("%w\nnothing was measured: %s", problems, columns)
}

// spool copies what can be read only once, such as a pipe, into a temporary file, as a file is read twice: to check it and
// to use it. The caller removes it. The name is empty for regular files.
func spool(ctx context.Context, o Options) (name string, err error) {
	from := o.Stdin
	if o.Path != Stdin {
		info, err := os.Stat(o.Path)
		if err != nil {
			return "", err
		}
		if info.IsDir() {
			return "", errors.New("is a folder: give one file")
		}
		if info.Mode().IsRegular() {
			return "", nil
		}
		file, err := os.Open(o.Path)
		if err != nil {
			return "", err
		}
		defer file.Close()
		from = file
	}
	temporary, err := os.CreateTemp("", "gapwatch-measure-*.csv")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name())
		}
	}()
	defer temporary.Close()
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(temporary, from)
		copied <- err
	}()
	select { // reading a terminal or a pipe does not end with the context
	case err = <-copied:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return "", err
	}
	return temporary.Name(), temporary.Close()
}
