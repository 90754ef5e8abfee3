package postcode

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// The names that a column may have, in any case, the best first: those of the ONS Postcode Directory and of the
// National Statistics Postcode Lookup of several years, and plain ones.
var (
	postcodeColumns = []string{"pcds", "pcd7", "pcd8", "pcd2", "pcd", "postcode"}
	lsoaColumns     = []string{"lsoa21cd", "lsoa21", "lsoa11cd", "lsoa11", "lsoa"}
)

// Load reads the look-up file at path; see [Read].
func Load(path string) (*Index, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the postcodes: %w", err)
	}
	defer file.Close()
	return Read(path, file)
}

// maxErrors is how many things that are wrong with a file are told.
const maxErrors = 10

// Read reads a look-up file: CSV with a header, in which one column is the postcode and one the LSOA (ONSPD and NSPL
// name them pcds and lsoa21cd, or postcode and lsoa are taken); all others are skipped. An empty cell, and a code that
// stands for no LSOA, means that the postcode is known and in none. The whole file is checked before any of it is used:
// an error is for stopping at start and names file, row, column and rule. name is what errors call the file.
func Read(name string, r io.Reader) (*Index, error) {
	f := &file{name: name, in: bufio.NewReaderSize(r, 1<<20), index: &Index{outward: map[uint32][]entry{}, lsoas: []string{""}},
		numbers: map[string]int{}}
	if err := f.read(); err != nil {
		return nil, err
	}
	for outward, entries := range f.index.outward {
		f.index.outward[outward] = slices.Clip(entries)
	}
	return f.index, nil
}

type file struct {
	name           string
	in             *bufio.Reader
	index          *Index
	numbers        map[string]int // of LSOAs
	row            int
	columns        []string // of the header, as written
	postcode, lsoa int      // columns
	errs           []error
}

func (f *file) fail(column, rule string) {
	at := fmt.Sprintf("%s: row %d", f.name, f.row)
	if column != "" {
		at += ", column " + column
	}
	f.errs = append(f.errs, fmt.Errorf("%s: %s", at, rule))
}

func (f *file) read() error {
	if err := f.header(); err != nil {
		return err
	}
	cells := make([][]byte, 0, len(f.columns))
	for len(f.errs) < maxErrors {
		line, err := f.line()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var ok bool
		if cells, ok = split(cells[:0], line); !ok {
			f.fail("", "must be CSV (RFC 4180) on one line")
			continue
		}
		if len(cells) != len(f.columns) {
			f.fail("", fmt.Sprintf("must have %d cells, as the header has", len(f.columns)))
			continue
		}
		f.add(cells[f.postcode], cells[f.lsoa])
	}
	if len(f.errs) == 0 && f.index.size == 0 {
		f.fail("", "must hold a postcode: there is none in the file")
	}
	return errors.Join(f.errs...)
}

func (f *file) header() error {
	line, err := f.line()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	f.row = 1
	cells, _ := split(nil, bytes.TrimPrefix(line, []byte("\ufeff")))
	for _, cell := range cells {
		f.columns = append(f.columns, strings.TrimSpace(string(cell)))
	}
	f.postcode, f.lsoa = f.column(postcodeColumns), f.column(lsoaColumns)
	if f.postcode < 0 {
		f.fail("", "must be the header, with one of the columns "+strings.Join(postcodeColumns, ", "))
	}
	if f.lsoa < 0 {
		f.fail("", "must be the header, with one of the columns "+strings.Join(lsoaColumns, ", "))
	}
	return errors.Join(f.errs...)
}

func (f *file) column(names []string) int {
	for _, name := range names {
		if i := slices.IndexFunc(f.columns, func(column string) bool { return strings.EqualFold(column, name) }); i >= 0 {
			return i
		}
	}
	return -1
}

// line is the next line, without its end; it is good until the next call.
func (f *file) line() ([]byte, error) {
	line, err := f.in.ReadSlice('\n')
	f.row++
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		f.fail("", "must be shorter than a megabyte")
		return nil, errors.Join(f.errs...)
	case errors.Is(err, io.EOF) && len(line) > 0: // the last line need not have an end
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("read %s: %w", f.name, err)
	case err != nil:
		return nil, io.EOF
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}

func (f *file) add(postcode, lsoa []byte) {
	code, ok := parse(postcode)
	if !ok {
		f.fail(f.columns[f.postcode], "must be a postcode: two to four letters and digits, then a digit and two letters")
		return
	}
	number := 0
	if lsoa = bytes.TrimSpace(lsoa); len(lsoa) > 0 && !isNone(lsoa) {
		if number, ok = f.numbers[string(lsoa)]; !ok {
			if !isLSOA(lsoa) {
				f.fail(f.columns[f.lsoa], "must be an LSOA code: E, W, S, N or X and eight digits, or empty")
				return
			}
			if len(f.index.lsoas) == maxLSOAs {
				f.fail(f.columns[f.lsoa], "is one LSOA too many")
				return
			}
			number = len(f.index.lsoas)
			kept := string(lsoa)
			f.index.lsoas = append(f.index.lsoas, kept)
			f.numbers[kept] = number
		}
	}
	if f.index.add(code, number) {
		f.fail(f.columns[f.postcode], "is in the file before, with another LSOA")
	}
}

// split cuts a line at its commas. A cell may be in quotes, with a quote inside doubled.
func split(cells [][]byte, line []byte) ([][]byte, bool) {
	if bytes.IndexByte(line, '"') < 0 {
		for {
			cell, rest, more := bytes.Cut(line, []byte{','})
			cells = append(cells, cell)
			if !more {
				return cells, true
			}
			line = rest
		}
	}
	for {
		if len(line) == 0 || line[0] != '"' {
			cell, rest, more := bytes.Cut(line, []byte{','})
			if bytes.IndexByte(cell, '"') >= 0 {
				return cells, false
			}
			cells = append(cells, cell)
			if !more {
				return cells, true
			}
			line = rest
			continue
		}
		end, doubled := 1, false
		for ; end < len(line); end++ {
			if line[end] != '"' {
				continue
			}
			if end+1 == len(line) || line[end+1] != '"' {
				break
			}
			end++
			doubled = true
		}
		if end == len(line) {
			return cells, false // never closed
		}
		cell := line[1:end]
		if doubled {
			cell = bytes.ReplaceAll(cell, []byte(`""`), []byte{'"'})
		}
		cells = append(cells, cell)
		if line = line[end+1:]; len(line) == 0 {
			return cells, true
		}
		if line[0] != ',' {
			return cells, false
		}
		line = line[1:]
	}
}
