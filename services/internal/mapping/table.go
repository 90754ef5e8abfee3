package mapping

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"gapwatch/services/internal/programme"
)

// table is a CSV file whose columns are known by name, and what is wrong in it.
type table struct {
	file string
	rows [][]string
	at   []int // row of each in the file, the header being row 1
	cols map[string]int
	errs *[]error
}

// record is a row of a table.
type record struct {
	*table
	at    int
	cells []string
}

func (t *table) fail(row int, column, rule string, args ...any) {
	at := fmt.Sprintf("%s: row %d", t.file, row)
	if column != "" {
		at += ", column " + column
	}
	*t.errs = append(*t.errs, fmt.Errorf("%s: %s", at, fmt.Sprintf(rule, args...)))
}

// read reads a file that must have exactly these columns, in any order.
func read(file string, data []byte, errs *[]error, columns ...string) *table {
	t := &table{file: file, cols: map[string]int{}, errs: errs}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if err != nil {
		t.fail(1, "", "must be the header, with the columns %s", strings.Join(columns, ", "))
		return t
	}
	for i, name := range header {
		name = strings.TrimSpace(name)
		_, again := t.cols[name]
		switch {
		case !slices.Contains(columns, name):
			t.fail(1, strconv.Itoa(i+1), "unknown column; known are %s (separated by commas)", strings.Join(columns, ", "))
		case again:
			t.fail(1, name, "is there twice")
		}
		t.cols[name] = i
	}
	for _, name := range columns {
		if _, there := t.cols[name]; !there {
			t.fail(1, name, "is missing")
		}
	}
	if len(*errs) > 0 {
		return t
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return t
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			t.fail(wrong.Line, "", "must be CSV (RFC 4180): %v", wrong.Err)
			return t
		}
		row, _ := r.FieldPos(0)
		if !slices.ContainsFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
			continue // what a spreadsheet leaves behind of a row that was emptied
		}
		if len(cells) != len(header) {
			t.fail(row, "", "must have %d cells, as the header has", len(header))
			continue
		}
		t.rows, t.at = append(t.rows, cells), append(t.at, row)
	}
}

// all are the rows.
func (t *table) all(yield func(record) bool) {
	for i, cells := range t.rows {
		if !yield(record{t, t.at[i], cells}) {
			return
		}
	}
}

func (r record) text(column string) string { return strings.TrimSpace(r.cells[r.cols[column]]) }

func (r record) fail(column, rule string, args ...any) { r.table.fail(r.at, column, rule, args...) }

// name is the name of a kind.
func (r record) name(column string) (string, bool) {
	name := r.text(column)
	if !isName(name) {
		r.fail(column, "must match %s and have at most %d characters", programme.IDPattern, programme.MaxIDLength)
		return "", false
	}
	return name, true
}

func isName(text string) bool {
	if text == "" || len(text) > programme.MaxIDLength || text[0] == '-' {
		return false
	}
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// number is a whole number within limits, or what it is where the cell is empty.
func (r record) number(column string, least, most, empty int) (int, bool) {
	text := r.text(column)
	if text == "" {
		return empty, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		r.fail(column, "must be a whole number from %d to %d, or empty", least, most)
		return 0, false
	}
	return n, true
}

// code is a code with the short name of its system before it: sct:6142004, loinc:85354-9. So a spreadsheet takes it for
// text and neither rounds it nor makes it a date.
func (r record) code(column, text string, loinc bool) (system, code string, ok bool) {
	rule := "must be sct: and a SNOMED CT concept"
	if loinc {
		rule += ", or loinc: and a LOINC code"
	}
	short, code, _ := strings.Cut(text, ":")
	switch {
	case short == "sct" && isConcept(code):
		return SNOMED, code, true
	case short == "loinc" && loinc && IsLOINC(code):
		return LOINC, code, true
	case short == "sct" || short == "loinc" && loinc:
		rule += " (its check digit is wrong: mistyped, or rounded by a spreadsheet?)"
	}
	r.fail(column, "%s", rule)
	return "", "", false
}

// said is a cell that must not be empty, and is for people.
func (r record) said(columns ...string) {
	for _, column := range columns {
		if r.text(column) == "" {
			r.fail(column, "must not be empty: it says to people what the row is and where it is from")
		}
	}
}
