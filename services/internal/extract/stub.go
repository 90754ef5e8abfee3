package extract

import (
	"io"
	"iter"
	"strings"
	"time"
)

// Read reads the rows of r, which it does not close. Rows without anything in them are left out. An error is one of r, such
// as [io.ErrUnexpectedEOF]: it ends the rows, and the row that was being read is not among them; sending the file again can help.
// Breaking off the loop stops reading.
func Read(r io.Reader, o Options) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {}
}

// ParseLayout reads the name of a layout; an empty one is [ByHeader]. It is false for an unknown one.
func ParseLayout(name string) (Layout, bool) { return Layout(name), true }

// ParseEncoding reads the charset parameter of a media type; an empty one is [Undeclared]. It is false for a charset that
// is not taken.
func ParseEncoding(charset string) (Encoding, bool) { return Encoding(strings.ToLower(charset)), true }

// ParseFileTime reads when an extract was made out of the name of an NHS batch file, which ends in an underscore and the time:
// MMR_Vaccinations_v5_X26_20250730T11525000.csv. The last two digits are the hours ahead of UTC, 00 or 01.
func ParseFileTime(name string) (time.Time, bool) { return time.Time{}, false }

// Column is a column of a layout.
type Column struct {
	Name     string
	Required bool   // the file must have it
	Holds    string // what it may hold, for people
}

// Columns are the columns of a layout.
func Columns(l Layout) []Column { return nil }

// Table is [Columns] as a Markdown table, for the senders' guide.
func Table(l Layout) string { return "" }
