package extract

import (
	"bytes"
	"errors"
	"io"
)

// lexer cuts a reader into rows and those into fields. It differs from encoding/csv in what an extract of a stranger needs:
// a row cannot be longer than [MaxRow], a carriage return alone ends a line, and what is wrong inside a row leaves the next one whole.
type lexer struct {
	from    io.Reader
	err     error // what from said last; it is told after the rows before it
	buf     []byte
	start   int // of the row in buf
	end     int // of what was read into buf
	next    int // how far the row has been looked through, from start
	comma   byte
	afterCR bool // the row before ended in a carriage return: a line feed now belongs to it

	state  state
	fields []field // of the row; at most maxFields are kept
	count  int     // how many fields the row has
	field  field   // the one that is being read
}

// field is where a field stands in a row, without its quotes.
type field struct {
	from, to int
	doubled  bool // a quote inside is written twice
	fault    bool // there is a quote where none may be, or text after the closing quote
}

type state uint8

const (
	atStart state = iota // of a field
	plain                // in a field without quotes, or behind the closing quote
	quoted
	atQuote // behind a quote in a quoted field: the closing one, or the first of two
)

// maxFields is far above what a header may have. More are counted, not kept.
const maxFields = 256

// errTooLong means that a row is longer than MaxRow; what is after it cannot be known.
var errTooLong = errors.New("row too long")

// errOpenQuote means that the file ended inside quotes.
var errOpenQuote = errors.New("quote not closed")

func newLexer(from io.Reader) *lexer {
	return &lexer{from: from, buf: make([]byte, 2*MaxRow)}
}

// row finds the next row; its text and fields are good until the next call. At the end of the file the error is io.EOF. An
// error of the reader drops the row that it broke off.
func (l *lexer) row() ([]byte, error) {
	l.start += l.next
	l.next, l.state, l.count, l.fields, l.field = 0, atStart, 0, l.fields[:0], field{}
	for {
		if l.afterCR && l.start < l.end {
			l.afterCR = false
			if l.buf[l.start] == '\n' {
				l.start++
			}
		}
		if length, ok := l.scan(); ok {
			if length > MaxRow {
				return nil, errTooLong
			}
			return l.buf[l.start : l.start+length], nil
		}
		if l.next > MaxRow {
			return nil, errTooLong
		}
		if l.err != nil {
			return l.rest()
		}
		l.fill()
	}
}

// rest is what stands behind the last line end.
func (l *lexer) rest() ([]byte, error) {
	switch {
	case !errors.Is(l.err, io.EOF) || l.next == 0:
		return nil, l.err
	case l.state == quoted:
		return nil, errOpenQuote
	}
	l.close(l.next)
	return l.buf[l.start : l.start+l.next], nil
}

// fill reads more. It makes room first, so that a whole row always fits.
func (l *lexer) fill() {
	if l.start > 0 && len(l.buf)-l.end < MaxRow {
		l.end = copy(l.buf, l.buf[l.start:l.end])
		l.start = 0
	}
	for tries := 0; tries < 100; tries++ {
		n, err := l.from.Read(l.buf[l.end:])
		l.end += n
		l.err = err
		if n > 0 || err != nil {
			return
		}
	}
	l.err = io.ErrNoProgress
}

// scan goes on where it left off and tells how long the row is, without its line end, once it has seen the end of it.
func (l *lexer) scan() (int, bool) {
	text := l.buf[l.start:l.end]
	at := l.next
	for at < len(text) {
		if l.state == quoted {
			quote := bytes.IndexByte(text[at:], '"')
			if quote < 0 {
				at = len(text)
				break
			}
			at += quote
			l.field.to = at
			l.state = atQuote
			at++
			continue
		}
		c := text[at]
		switch {
		case c == l.comma && l.comma != 0:
			l.close(at)
			l.state, l.field = atStart, field{from: at + 1}
		case c == '\n' || c == '\r':
			l.close(at)
			l.next = at + 1
			l.afterCR = c == '\r'
			return at, true
		case c == '"':
			switch l.state {
			case atStart:
				l.state, l.field.from = quoted, at+1
			case atQuote:
				l.state, l.field.doubled = quoted, true
			default:
				l.field.fault = true
			}
		case l.state == atQuote:
			l.state, l.field.fault = plain, true
		default:
			l.state = plain
		}
		at++
	}
	l.next = at
	return 0, false
}

// close ends a field before the character at.
func (l *lexer) close(at int) {
	if l.state == atStart || l.state == plain {
		l.field.to = at
	}
	if l.count < maxFields {
		l.fields = append(l.fields, l.field)
	}
	l.count++
}

// value appends the text of a field to to.
func (f field) value(to, row []byte) []byte {
	text := row[f.from:f.to]
	if !f.doubled {
		return append(to, text...)
	}
	for {
		quote := bytes.IndexByte(text, '"')
		if quote < 0 {
			return append(to, text...)
		}
		to = append(to, text[:quote+1]...)
		text = text[min(quote+2, len(text)):]
	}
}
