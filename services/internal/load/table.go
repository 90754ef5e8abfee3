package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// table reads a CSV file row by row: UTF-8 with or without byte order mark, LF or CRLF, quoted or not.
type table struct {
	path     string
	problems *Problems
	header   []string // as the file writes it
	columns  []string // the same, normalised
	file     *os.File
	bytes    *counter
	size     int64
	reader   *csv.Reader
	record   []string
	row      int       // line that the current row begins on
	rows     int       // rows read
	bad      int       // problems of the current row
	told     []Problem // of the current row
}

// errUnreadable means that a problem was added because of which the rest of the file cannot be read.
var errUnreadable = errors.New("unreadable")

// openTable opens a file and reads its header. The error is errUnreadable or of the file system.
func openTable(path string, problems *Problems) (*table, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	t := &table{path: path, problems: problems, file: file, bytes: &counter{reader: file}}
	if err := t.begin(); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *table) close() { _ = t.file.Close() }

func (t *table) begin() error {
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return &os.PathError{Op: "read", Path: t.path, Err: errors.New("is a folder")}
	}
	t.size = info.Size()
	buffered := bufio.NewReaderSize(t.bytes, 1<<18)
	start, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		return t.unreadable(0, "is an Excel workbook or another archive: save it as CSV UTF-8")
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		return t.unreadable(0, "is UTF-16: save it as CSV UTF-8")
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		_, _ = buffered.Discard(3) // it was peeked at
	}
	t.reader = csv.NewReader(buffered)
	t.reader.ReuseRecord = true
	t.reader.FieldsPerRecord = -1 // counted below, where the row is known
	record, err := t.reader.Read()
	if errors.Is(err, io.EOF) {
		return t.unreadable(0, "is empty")
	}
	if err != nil {
		return t.broken(err)
	}
	seen := map[string]int{}
	for i, h := range record {
		if !utf8.ValidString(h) {
			return t.unreadable(1, "is not UTF-8: save it as CSV UTF-8")
		}
		column := normal(h)
		if first, ok := seen[column]; ok && column != "" {
			// not by name: a file without a header has data there
			return t.unreadable(1, fmt.Sprintf("columns %d and %d have the same name", first+1, i+1))
		}
		seen[column] = i
		t.header = append(t.header, h)
		t.columns = append(t.columns, column)
	}
	return nil
}

// next reads the next row that is not blank. It is false at the end.
func (t *table) next() (bool, error) {
	for {
		record, err := t.reader.Read()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, t.broken(err)
		}
		t.row, _ = t.reader.FieldPos(0)
		if blank(record) {
			continue // spreadsheets leave them below the data
		}
		t.record, t.bad, t.told = record, 0, t.told[:0]
		t.rows++
		if len(record) != len(t.header) {
			t.fail(-1, fmt.Sprintf("has %d fields, the header has %d", len(record), len(t.header)))
			continue
		}
		valid := true
		for i, cell := range record {
			if !utf8.ValidString(cell) {
				t.fail(i, "is not UTF-8: save the file as CSV UTF-8")
				valid = false
			}
		}
		if valid {
			return true, nil
		}
	}
}

func blank(record []string) bool {
	for _, cell := range record {
		if strings.TrimSpace(cell) != "" {
			return false
		}
	}
	return true
}

// broken turns an error of the CSV reader into a problem; errors of the file system stay what they are.
func (t *table) broken(err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("read %s: %w", t.path, err)
	}
	return t.unreadable(parse.StartLine, "is not CSV: "+parse.Err.Error())
}

func (t *table) unreadable(row int, rule string) error {
	t.problems.add(Problem{File: t.path, Row: row, Rule: rule})
	return errUnreadable
}

// fail says what is wrong with a cell of the current row; column -1 is the row as a whole. It says it once, however many
// look-ups of a wide file read the cell.
func (t *table) fail(column int, rule string) {
	t.bad++
	p := Problem{File: t.path, Row: t.row, Rule: rule}
	if column >= 0 {
		p.Column = shown(t.header[column])
	}
	if !slices.Contains(t.told, p) {
		t.told = append(t.told, p)
		t.problems.add(p)
	}
}

// cell is a cell of the current row without surrounding space; empty where the file has no such column (-1).
func (t *table) cell(column int) string {
	if column < 0 {
		return ""
	}
	return strings.TrimSpace(t.record[column])
}

// find is the first column that has one of the names, which are normalised; -1 if there is none.
func (t *table) find(names ...string) int {
	for _, name := range names {
		for i, column := range t.columns {
			if column == name {
				return i
			}
		}
	}
	return -1
}

// shown is a header as errors repeat it: on one line, without space around it, not endless.
func shown(header string) string {
	s := strings.Join(strings.Fields(header), " ")
	if len(s) > 80 {
		s = s[:77] + "..."
	}
	return s
}

// normal is a column name in lower-case letters and digits, everything else being one space.
func normal(header string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(header) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), " "):
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(b.String())
}

// counter counts the bytes that were read, for progress.
type counter struct {
	reader io.Reader
	n      int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	c.n += int64(n)
	return n, err
}

// Progress is how far the reading of one file has come.
type Progress struct {
	File  string
	Phase string // "checking" or "loading"
	Rows  int
	Bytes int64 // read so far
	Size  int64 // of the whole file
}

// step is how many rows lie between two calls of a progress function, and between two looks at the context.
const step = 10_000

// each calls f for every row that has as many fields as the header and is UTF-8.
func (t *table) each(ctx context.Context, phase string, progress func(Progress), f func()) error {
	told := 0
	for {
		ok, err := t.next()
		if err != nil {
			return err
		}
		if !ok || t.rows >= told+step {
			told = t.rows
			if err := ctx.Err(); err != nil {
				return err
			}
			if progress != nil {
				progress(Progress{File: t.path, Phase: phase, Rows: t.rows, Bytes: t.bytes.n, Size: t.size})
			}
		}
		if !ok {
			return nil
		}
		f()
	}
}
