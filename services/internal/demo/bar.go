package demo

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows how far something is: as a bar in a terminal, otherwise as a line now and then.
type bar struct {
	out   io.Writer
	what  string
	total int
	bar   *progressbar.ProgressBar // nil without a terminal
	said  time.Time
}

const lineEvery = 5 * time.Second

func newBar(out io.Writer, total int, what string) *bar {
	b := &bar{out: out, what: what, total: total, said: time.Now()}
	if isTerminal(out) {
		b.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("events"), progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	return b
}

func (b *bar) set(n int) {
	n = min(n, b.total-1) // the end is finish's
	switch {
	case b.bar != nil:
		_ = b.bar.Set(n) // only a picture
	case time.Since(b.said) >= lineEvery:
		b.said = time.Now()
		say(b.out, "%s %s of %s (%d %%)", grouped(n), b.what, grouped(b.total), 100*n/max(b.total, 1))
	}
}

func (b *bar) finish(n int) {
	if b.bar != nil {
		_ = b.bar.Set(n)
		_ = b.bar.Finish()
	}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// say tells people what happens; that it could not be told changes nothing.
func say(out io.Writer, format string, values ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", values...)
}

// grouped is a number with a comma between thousands.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
