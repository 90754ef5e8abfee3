package extract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"gapwatch/services/internal/admit"
)

// commas are what an own file may have between its fields.
const commas = ",;\t|"

// maxNamed is how many columns a problem names.
const maxNamed = 10

// header reads the first row and learns from it what the others say. The Problem of the item ends the file.
func (r *reader) header() (Item, error) {
	if wrong := r.lexer.begin(); wrong != "" {
		r.row = 1
		return r.last(admit.BadEncoding, inFile, wrong), nil
	}
	var row []byte
	for len(row) == 0 { // an empty line before it does no harm
		r.row++
		text, err := r.lexer.row()
		if errors.Is(err, io.EOF) {
			r.row = 1
			return r.last(admit.BadFile, inFile, "must not be empty: a header with the names of the columns comes first"), nil
		}
		if err != nil {
			return r.broken(err)
		}
		row = bytes.Trim(text, " ")
	}
	if bytes.IndexByte(row, 0) >= 0 {
		return r.last(admit.BadEncoding, inFile, "must be UTF-8 or Windows-1252: there are NUL bytes in the header, as in UTF-16"), nil
	}
	r.format = r.layout(row)
	r.lexer.comma = r.format.comma
	if r.lexer.comma == 0 {
		r.lexer.comma = mostFrequent(row)
	}
	names := split(row, r.lexer.comma)
	if len(names) == 0 {
		return r.last(admit.BadFile, inHeader, "must be on one line and close its quotes"), nil
	}
	if wrong := r.columns(names); len(wrong) > 0 {
		return r.last(admit.BadFile, inHeader, strings.Join(wrong, "; ")), nil
	}
	r.ends, r.values = make([]int, len(r.at)), make([]string, len(r.at))
	return Item{}, nil
}

// begin looks at the first bytes. It takes off the mark of UTF-8 and refuses what is no such text.
func (l *lexer) begin() (wrong string) {
	for l.end < 4 && l.err == nil {
		l.fill()
	}
	text := l.buf[:l.end]
	switch {
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		l.start = 3
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "must be UTF-8 or Windows-1252: it is UTF-16 (save it as CSV UTF-8)"
	case bytes.HasPrefix(text, []byte("PK\x03\x04")):
		return "must be CSV: it is an Excel workbook or another archive (save it as CSV UTF-8)"
	case bytes.HasPrefix(text, []byte("\x1f\x8b")):
		return "must be CSV: it is compressed with gzip, and the request does not say so"
	}
	return ""
}

// layout is the format of the file with this header.
func (r *reader) layout(header []byte) *format {
	layout := r.options.Layout
	if layout == ByHeader {
		layout = Own
		for _, name := range split(header, mostFrequent(header)) {
			if name == normal(nhsRead[nhsActionFlag].Name) {
				layout = NHSBatch
			}
		}
	}
	if layout == NHSBatch {
		return &nhsFormat
	}
	return &ownFormat
}

// mostFrequent is the character of commas that a header has the most of. Names of columns have none of them.
func mostFrequent(header []byte) byte {
	best, most := byte(','), 0
	for _, c := range []byte(commas) {
		if n := bytes.Count(header, []byte{c}); n > most {
			best, most = c, n
		}
	}
	return best
}

// split is the fields of a header, as names are compared; none if a quote is not closed.
func split(header []byte, comma byte) []string {
	l := newLexer(bytes.NewReader(header))
	l.comma = comma
	row, err := l.row()
	if err != nil {
		return nil
	}
	names := make([]string, len(l.fields), l.count)
	for i, f := range l.fields {
		names[i] = normal(string(f.value(nil, row)))
	}
	return names[:l.count:l.count]
}

// normal is a name in small letters, with an underscore for each space or hyphen.
func normal(name string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.Trim(name, " \t")))
}

// columns finds the format's columns in the file, and says what is wrong with them.
func (r *reader) columns(names []string) (wrong []string) {
	if len(names) > maxFields {
		return []string{fmt.Sprintf("must have at most %d columns", maxFields)}
	}
	known := map[string]bool{}
	index := map[string]int{}
	for _, c := range Columns(r.format.layout) {
		known[normal(c.Name)] = true
	}
	recognised := 0
	for _, name := range names {
		if known[name] {
			recognised++
		}
	}
	if recognised == 0 {
		if r.format.comma != 0 {
			return []string{fmt.Sprintf("must name the columns of the layout %s, with %q between", r.format.layout, r.format.comma)}
		}
		return []string{fmt.Sprintf("must name the columns of the layout %s, with a comma, semicolon, tab or vertical bar between", r.format.layout)}
	}
	for i, name := range names {
		// A file without a header has data here, and a person's name looks like a column's: only names of the layout are repeated.
		shown := fmt.Sprintf("column %d", i+1)
		if known[name] {
			shown += " (" + name + ")"
		}
		first, twice := index[name]
		switch {
		case !known[name]:
			wrong = append(wrong, shown+" is none of the layout "+string(r.format.layout))
		case twice:
			wrong = append(wrong, fmt.Sprintf("%s has the name of column %d", shown, first+1))
		default:
			index[name] = i
		}
	}
	r.width = len(names)
	r.at = make([]int, len(r.format.columns))
	for i, c := range r.format.columns {
		at, ok := index[normal(c.Name)]
		if !ok {
			at = -1
		}
		r.at[i] = at
		if !ok && c.Need == always {
			wrong = append(wrong, "column "+c.Name+" must be there")
		}
	}
	wrong = append(wrong, r.format.needs(func(column int) bool { return r.at[column] >= 0 }, &r.options)...)
	if len(wrong) > maxNamed {
		wrong = append(wrong[:maxNamed], fmt.Sprintf("and %d more", len(wrong)-maxNamed))
	}
	return wrong
}
