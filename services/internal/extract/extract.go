// Package extract reads CSV extracts of any size row by row and says in our terms what each row says. It knows two layouts,
// [Own] and [NHSBatch]; what each column holds is in [Columns]. It does no input or output but read the reader that it is given, keeps
// one row at a time, and never repeats a value in what it finds wrong.
//
// A file is rows of fields with a header first, as RFC 4180 says, or with a semicolon, a tab or a vertical bar for the
// comma; lines end in CRLF, LF or CR. A row is at most [MaxRow] long. What is in columns that are not used is not looked at.
//
// Neither the order of the rows nor that of the files matters: of two versions of a record the one with the later time counts,
// at equal time a deletion over an update over a new record, and after that a hash of the content decides.
package extract

import (
	"time"

	"gapwatch/services/internal/admit"
)

// Layout is how a file's columns are named and what they hold.
type Layout string

// The layouts.
const (
	// ByHeader takes the layout from the header: [NHSBatch] if it has a column ACTION_FLAG, otherwise [Own].
	ByHeader Layout = ""
	// Own has Gapwatch's own columns.
	Own Layout = "own"
	// NHSBatch is the layout of the NHS vaccination events batch files: 34 columns, vertical bars between.
	NHSBatch Layout = "nhs-batch"
)

// Encoding is how a file's characters are written.
type Encoding string

// The encodings. Whatever is declared, a byte order mark of UTF-8 is taken off, and UTF-16 is refused. Only the columns that
// are used must be in the encoding: a name that nobody reads may be written as it likes.
const (
	// Undeclared takes a row that is UTF-8 as such. In a row that is not, every column that is used must be ASCII, which is
	// the same in both encodings, as the columns of both layouts usually are: nothing that counts is guessed.
	Undeclared  Encoding = ""
	UTF8        Encoding = "utf-8"
	Windows1252 Encoding = "windows-1252"
)

// MaxRow is how many bytes a row may have. A longer one ends the file: most likely a quote is not closed, and what is
// a row after it cannot be known.
const MaxRow = 64 << 10

// Options say what the file does not say itself.
type Options struct {
	Layout   Layout
	Encoding Encoding
	// Source is the URI of the sending system where an own file has no column source or an empty one. An NHS batch file says
	// it in UNIQUE_ID_URI.
	Source string
	// Time is when the extract was made; zero if it is not known. In an own file it is the version time of the rows that do not
	// say their own; in an NHS batch file it is that of every row, and if it is zero, midnight of RECORDED_DATE is.
	Time time.Time
}

// Item is what one row says.
type Item struct {
	// Row is the number that a spreadsheet shows beside the row: the header is row 1, empty rows count, and a row with line
	// breaks inside quotes is one.
	Row int
	// Submission is what the row says. If there is a Problem, only Source and Record are filled in, if they could be read.
	Submission admit.Submission
	// Problem is why the row cannot be taken, nil if it can as far as its form goes.
	Problem *admit.Problem
	// Last tells that the Problem is one of the file: from this row on nothing is read.
	Last bool
}
