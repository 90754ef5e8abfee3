package extract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"gapwatch/services/internal/admit"
)

// ParseLayout reads the name of a layout; an empty one is [ByHeader]. It is false for an unknown one.
func ParseLayout(name string) (Layout, bool) {
	switch l := Layout(strings.ToLower(name)); l {
	case ByHeader, Own, NHSBatch:
		return l, true
	}
	return ByHeader, false
}

// ParseEncoding reads the charset parameter of a media type; an empty one is [Undeclared]. ISO 8859-1 is read as Windows-1252,
// as every browser does. It is false for a charset that is not taken.
func ParseEncoding(charset string) (Encoding, bool) {
	switch strings.ToLower(charset) {
	case "":
		return Undeclared, true
	case "utf-8", "utf8", "us-ascii", "ascii":
		return UTF8, true
	case "windows-1252", "cp1252", "cp-1252", "iso-8859-1", "latin1":
		return Windows1252, true
	}
	return Undeclared, false
}

// Read reads the rows of from, which it does not close. Rows without anything in them are left out. An error is one of from, such
// as [io.ErrUnexpectedEOF]: it ends the rows, and the row that was being read is not among them; sending the file again can
// help. Row of its item is the one that was being read. Breaking off the loop stops reading.
func Read(from io.Reader, o Options) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		r := &reader{options: o, lexer: newLexer(from)}
		item, err := r.header()
		if err != nil || item.Problem != nil {
			yield(item, err)
			return
		}
		for {
			item, err := r.next()
			if errors.Is(err, io.EOF) || !yield(item, err) || err != nil || item.Last {
				return
			}
		}
	}
}

// reader reads one file.
type reader struct {
	options Options
	lexer   *lexer
	format  *format
	at      []int // where the file has the columns of the format; -1 = not at all
	width   int   // how many columns the file has
	row     int   // number of the row that was read last

	item   Item     // is here because on the stack it cannot be
	text   []byte   // of the values of a row
	ends   []int    // of the values in text
	values []string // of the row, in the order of the format's columns
}

// format is what a layout does with a row.
type format struct {
	layout         Layout
	columns        []Column
	comma          byte // 0: any of commas
	record, source int  // columns: they name the record even where the row cannot be taken

	// needs says what is wrong with a file that has these columns only, empty if nothing is.
	needs func(has func(column int) bool, o *Options) []string
	// submit fills in the rest of a submission.
	submit func(s *admit.Submission, values []string, o *Options) *admit.Problem
}

// last is the item of a fault that ends the file.
func (r *reader) last(reason, field, rule string) Item {
	return Item{Row: r.row, Problem: problem(reason, field, rule), Last: true}
}

// next reads the next row that says anything.
func (r *reader) next() (Item, error) {
	for {
		r.row++
		row, err := r.lexer.row()
		if err != nil {
			return r.broken(err)
		}
		if r.blank(row) {
			continue // spreadsheets leave them below the data
		}
		item := &r.item
		*item = Item{Row: r.row}
		item.Problem = r.read(&item.Submission, row)
		if item.Problem != nil {
			item.Submission = admit.Submission{Source: item.Submission.Source, Record: item.Submission.Record}
		}
		return *item, nil
	}
}

// broken is what comes of a row that the lexer could not read. Other errors than its own are of the reader.
func (r *reader) broken(err error) (Item, error) {
	switch {
	case errors.Is(err, errTooLong):
		return r.last(admit.BadFile, inRow, fmt.Sprintf("must be at most %d bytes (is a quote not closed?): from row %d on nothing was read", MaxRow, r.row)), nil
	case errors.Is(err, errOpenQuote):
		return r.last(admit.BadFile, inRow, fmt.Sprintf("must close its quote before the file ends: from row %d on nothing was read", r.row)), nil
	}
	return Item{Row: r.row}, err
}

// blank tells whether there is nothing in a row but empty fields.
func (r *reader) blank(row []byte) bool {
	for _, c := range row {
		if c != r.lexer.comma && c != ' ' && c != '\t' && c != '"' {
			return false
		}
	}
	return true
}

// read takes the values out of a row and makes a submission of them. Of a row that has a problem it fills in what names
// the record.
func (r *reader) read(s *admit.Submission, row []byte) *admit.Problem {
	if r.lexer.count != r.width {
		rule := fmt.Sprintf("must have as many fields as the header: %d, not %d", r.width, r.lexer.count)
		if lines := bytes.Count(row, []byte{'\n'}); lines > 0 {
			rule += fmt.Sprintf("; it goes on over %d lines: is a quote not closed?", lines+1)
		}
		return problem(admit.BadRow, inRow, rule)
	}
	if bytes.IndexByte(row, 0) >= 0 {
		return problem(admit.BadRow, inRow, "must not hold a NUL byte")
	}
	found := r.cut(row)
	f := r.format
	s.Record, s.Source = r.values[f.record], r.values[f.source]
	if strings.TrimSpace(s.Source) == "" && f.layout == Own {
		s.Source = r.options.Source
	}
	if found != nil {
		return found
	}
	if strings.TrimSpace(s.Record) == "" {
		return missing(f.columns[f.record].Name)
	}
	if rounded(s.Record) {
		return problem(admit.BadRow, f.columns[f.record].Name, "must not be what a spreadsheet makes of a long number: many ids become one")
	}
	if strings.TrimSpace(s.Source) == "" {
		return missing(f.columns[f.source].Name)
	}
	return f.submit(s, r.values, &r.options)
}

// rounded tells whether an id is a number as a spreadsheet shows one that is too long for it: 1.23457E+15.
func rounded(id string) bool {
	number, exponent, found := strings.Cut(strings.ToUpper(strings.TrimSpace(id)), "E+")
	whole, decimals, _ := strings.Cut(strings.Replace(number, ",", ".", 1), ".")
	return found && len(exponent) >= 2 && digits(exponent) && len(whole) == 1 && digits(whole) && digits(decimals)
}

// cut puts the values of the row into r.values; one that cannot be read is empty, and the first such is the problem.
func (r *reader) cut(row []byte) (found *admit.Problem) {
	r.text = r.text[:0]
	for i, at := range r.at {
		if at >= 0 {
			start := len(r.text)
			if p := r.value(r.lexer.fields[at], row, i); p != nil {
				r.text = r.text[:start]
				if found == nil {
					found = p
				}
			}
		}
		r.ends[i] = len(r.text)
	}
	all := string(r.text)
	start := 0
	for i, end := range r.ends {
		r.values[i] = all[start:end]
		start = end
	}
	return found
}

// value appends the value of a field to r.text, as UTF-8. Ids are kept as they are written, from all others the spaces around
// are taken off.
func (r *reader) value(f field, row []byte, column int) *admit.Problem {
	name := r.format.columns[column].Name
	if f.fault {
		return problem(admit.BadRow, name, `must be all inside quotes or all without: a quote inside is written twice`)
	}
	start := len(r.text)
	r.text = f.value(r.text, row)
	value := r.text[start:]
	if column != r.format.record && column != r.format.source {
		value = bytes.Trim(value, " \t")
		r.text = r.text[:start+copy(r.text[start:], value)]
		value = r.text[start:]
	}
	ascii := true
	for _, c := range value {
		if c < ' ' || c == 0x7f {
			return problem(admit.BadRow, name, "must not hold line breaks, tabs and other control characters")
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	switch {
	case ascii:
	case r.options.Encoding == Windows1252:
		r.text = append(r.text[:start], windows1252(value)...)
	case !utf8.Valid(value):
		if r.options.Encoding == UTF8 {
			return problem(admit.BadEncoding, name, "must be UTF-8: is the file Windows-1252? Then the request must say so (charset=windows-1252)")
		}
		return problem(admit.BadEncoding, name, "must be ASCII or UTF-8, unless the request says what else it is (charset=windows-1252)")
	case r.options.Encoding == Undeclared && !utf8.Valid(row):
		return problem(admit.BadEncoding, name, "must be ASCII in a row that is not UTF-8, unless the request says what it is (charset=windows-1252)")
	}
	return nil
}

// windows1252 is text as UTF-8.
func windows1252(text []byte) []byte {
	out := make([]byte, 0, 2*len(text))
	for _, c := range text {
		out = utf8.AppendRune(out, charmap.Windows1252.DecodeByte(c))
	}
	return out
}
