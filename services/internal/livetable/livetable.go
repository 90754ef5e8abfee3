// Package livetable draws uptake and gap by programme and quintile as a table in a terminal, again and again in place.
package livetable

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
)

// Table is what is shown.
type Table struct {
	Rows []Row
	Foot []string // lines below the table
}

// Row is one programme in one season: people by quintile, 1 = most deprived fifth to 5 = least, 0 = unknown.
type Row struct {
	Programme, Season string
	Eligible, Covered [6]int64

	Floor    uint64               // eligible people of a quintile below which there is no SII
	Complete calendar.Day         // the last complete day, 0 where it is not known
	Then     inequality.Quintiles // on that day: the gap is of a day that is complete, since the records of some come later
	Verdict  string               // on the gap of the widest geography that has one, empty where none has
}

var headings = []string{"programme", "season", "eligible", "covered", "uptake", "Q1 most depr.", "Q2", "Q3", "Q4", "Q5 least", "gap Q5-Q1", "SII (95 %)", "no area", "complete to", "verdict"}

// textColumns are aligned to the left, the numbers after them to the right.
const textColumns = 2

// Render is the table as lines of text, each ending in a newline. Uptake is in percent, the gap on the last complete day
// in percentage points,
// with the slope index of inequality (logit) and its 95 % interval beside it, "no area" the share of covered people whose quintile is unknown, in percent. What cannot be computed is a dash.
func Render(t Table) string {
	lines := [][]string{headings}
	for _, r := range t.Rows {
		lines = append(lines, r.cells())
	}
	widths := make([]int, len(headings))
	for _, cells := range lines {
		for i, cell := range cells {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for n, cells := range lines {
		var line strings.Builder
		for i, cell := range cells {
			space := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i < textColumns {
				line.WriteString(cell + space + "  ")
			} else {
				line.WriteString(space + cell + "  ")
			}
		}
		text := strings.TrimRight(line.String(), " ")
		b.WriteString(text + "\n")
		if n == 0 {
			total := 2 * (len(widths) - 1)
			for _, w := range widths {
				total += w
			}
			b.WriteString(strings.Repeat("-", total) + "\n")
		}
	}
	for _, line := range t.Foot {
		b.WriteString(line + "\n")
	}
	return b.String()
}

func (r Row) cells() []string {
	var eligible, covered int64
	for q := range r.Eligible {
		eligible += r.Eligible[q]
		covered += r.Covered[q]
	}
	cells := []string{r.Programme, r.Season, grouped(eligible), grouped(covered), percent(covered, eligible)}
	for q := 1; q <= 5; q++ {
		cells = append(cells, percent(r.Covered[q], r.Eligible[q]))
	}
	gap, sii := "-", "-"
	measures := inequality.Of(r.Then, r.Floor)
	if e, ok := measures.Gap.Get(); ok {
		gap = fmt.Sprintf("%+.1f", 100*e.Value)
	}
	if e, ok := measures.SII.Get(); ok {
		sii = fmt.Sprintf("%+.1f (%.1f to %.1f)", 100*e.Value, 100*e.Low, 100*e.High)
	}
	complete := "-"
	if r.Complete > 0 {
		complete = r.Complete.String()
	}
	return append(cells, gap, sii, percent(r.Covered[0], covered), complete, cmp.Or(r.Verdict, "-"))
}

func share(part, whole int64) float64 { return float64(part) / float64(whole) }

func percent(part, whole int64) string {
	if whole <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*share(part, whole))
}

// grouped is a number with a comma between thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Screen is where a table is shown.
type Screen struct {
	Out io.Writer
	// Width is how many characters a line of the terminal has now; longer lines are cut, since they would wrap and the
	// table could not be drawn over. Nil means that Out is no terminal: tables then follow one another, without codes.
	Width func() int
	// Every is how long to wait between two drawings: longer where reading takes more than a fifth of it, so that looking
	// at the figures does not slow down what makes them.
	Every time.Duration
}

// Show draws what read returns until ctx ends, which is no error. An error of read is shown in place of the table and
// read is tried again; an error is Out's: stop.
func (s Screen) Show(ctx context.Context, read func(context.Context) (Table, error)) error {
	drawn := 0 // lines
	for {
		begun := time.Now()
		table, err := read(ctx)
		took := time.Since(begun)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // being told to stop is no error, and read's only follows from it
		}
		text := Render(table)
		if err != nil {
			text = "cannot be shown right now: " + strings.ReplaceAll(err.Error(), "\n", " ") + "\n"
		}
		if s.Width != nil {
			text = cut(text, s.Width())
			if drawn > 0 {
				text = fmt.Sprintf("\x1b[%dA\x1b[J", drawn) + text // up to the first line, and clear from there
			}
			drawn = strings.Count(text, "\n")
		}
		if _, err := io.WriteString(s.Out, text); err != nil {
			return fmt.Errorf("show the table: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(s.Every, 4*took)):
		}
	}
}

// cut shortens lines to a width.
func cut(text string, width int) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if r := []rune(strings.TrimSuffix(line, "\n")); width > 0 && len(r) > width {
			lines[i] = string(r[:width]) + "\n"
		}
	}
	return strings.Join(lines, "")
}
