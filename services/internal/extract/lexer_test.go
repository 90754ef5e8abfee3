package extract

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// lexed is every row of text as its fields, and the error after them.
func lexed(from io.Reader, comma byte) (rows [][]string, err error) {
	l := newLexer(from)
	l.comma = comma
	for {
		row, err := l.row()
		if err != nil {
			return rows, err
		}
		fields := []string{}
		for _, f := range l.fields {
			text := string(f.value(nil, row))
			if f.fault {
				text = "fault"
			}
			fields = append(fields, text)
		}
		rows = append(rows, fields)
	}
}

// readers are all the ways in which a reader may hand out the same bytes.
var readers = map[string]func(io.Reader) io.Reader{
	"all at once":         func(r io.Reader) io.Reader { return r },
	"a byte at a time":    iotest.OneByteReader,
	"half of what is due": iotest.HalfReader,
	"the end with data":   iotest.DataErrReader,
	"a byte, end with it": func(r io.Reader) io.Reader { return iotest.DataErrReader(iotest.OneByteReader(r)) },
}

// What encoding/csv writes and reads is read as encoding/csv reads it.
func TestLexerReadsWhatEncodingCSVReads(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 2026))
	pieces := []string{"", "a", "é", `"`, `""`, ",", "|", "\n", " ", "O'Reilly", `O\'Reilly`, "20250730T11525000", strings.Repeat("x", 40)}
	for range 300 {
		var text bytes.Buffer
		writer := csv.NewWriter(&text)
		writer.Comma = rune(commas[random.IntN(len(commas))])
		writer.UseCRLF = random.IntN(2) == 0
		for range random.IntN(20) {
			fields := []string{"first"} // encoding/csv does not read rows back that are one empty field
			for range random.IntN(6) {
				var field string
				for range random.IntN(4) {
					field += pieces[random.IntN(len(pieces))]
				}
				fields = append(fields, field)
			}
			if err := writer.Write(fields); err != nil {
				t.Fatal(err)
			}
		}
		writer.Flush()
		reference := csv.NewReader(bytes.NewReader(text.Bytes()))
		reference.Comma = writer.Comma
		reference.FieldsPerRecord = -1
		want, err := reference.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for name, split := range readers {
			got, err := lexed(split(bytes.NewReader(text.Bytes())), byte(writer.Comma))
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			for _, row := range got { // encoding/csv turns CRLF into LF within quotes; the lexer leaves it
				for i := range row {
					row[i] = strings.ReplaceAll(row[i], "\r\n", "\n")
				}
			}
			if !slices.EqualFunc(got, want, slices.Equal) {
				t.Fatalf("%s, of %q\ngot  %q\nwant %q", name, text.String(), got, want)
			}
		}
	}
}

func TestLexerCutsRowsAndFields(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       [][]string
		err        error
	}{
		{"nothing", "", nil, io.EOF},
		{"line ends of all kinds", "a\nb\r\nc\rd", [][]string{{"a"}, {"b"}, {"c"}, {"d"}}, io.EOF},
		{"empty lines count", "a\n\n\r\n\rb\n", [][]string{{"a"}, {""}, {""}, {""}, {"b"}}, io.EOF},
		{"a carriage return at the end", "a\r", [][]string{{"a"}}, io.EOF},
		{"line ends within quotes", "\"a\r\nb\rc\",d\ne\n", [][]string{{"a\r\nb\rc", "d"}, {"e"}}, io.EOF},
		{"empty fields", ",\n,,", [][]string{{"", ""}, {"", "", ""}}, io.EOF},
		{"doubled quotes", `"""a""b""",""""`, [][]string{{`"a"b"`, `"`}}, io.EOF},
		{"empty quotes", `"","",x`, [][]string{{"", "", "x"}}, io.EOF},
		{"a backslash is a character", `"O\'Reilly","a\",b`, [][]string{{`O\'Reilly`, `a\`, "b"}}, io.EOF},
		{"a quote in a field without quotes", `a"b,c`, [][]string{{"fault", "c"}}, io.EOF},
		{"text behind the closing quote", "\"a\"b,c\nd\n", [][]string{{"fault", "c"}, {"d"}}, io.EOF},
		{"a quote left open", "a\n\"b\nc\n", [][]string{{"a"}}, errOpenQuote},
		// The field is a,b LF c, with d behind its closing quote, and the row after it is whole.
		{"a quote that a later one closes", "\"a,b\nc,\"d\"\ne\n", [][]string{{"fault"}, {"e"}}, io.EOF},
	} {
		for name, split := range readers {
			got, err := lexed(split(strings.NewReader(c.text)), ',')
			if !slices.EqualFunc(got, c.want, slices.Equal) || !errors.Is(err, c.err) {
				t.Errorf("%s, %s: got %q and %v, want %q and %v", c.name, name, got, err, c.want, c.err)
			}
		}
	}
}

func TestARowIsAtMostMaxRow(t *testing.T) {
	for length, want := range map[int]error{MaxRow - 1: io.EOF, MaxRow: io.EOF, MaxRow + 1: errTooLong, 5 * MaxRow: errTooLong} {
		for _, end := range []string{"\n", "\r\n", "\r", ""} {
			for _, before := range []int{0, 1, 1000, MaxRow - 5, MaxRow, MaxRow + 1} {
				for _, row := range []string{strings.Repeat("x", length), `"` + strings.Repeat("\n", length-2) + `"`} {
					text := row + end + "y\n"
					if end == "" {
						text = row
					}
					if before > 0 {
						text = strings.Repeat("z", before-1) + "\n" + text
						if before-1 > MaxRow {
							continue
						}
					}
					_, err := lexed(strings.NewReader(text), ',')
					if !errors.Is(err, want) {
						t.Errorf("%d bytes, %d before, end %q: %v, want %v", length, before, end, err, want)
					}
				}
			}
		}
	}
}

// endless is a file without end that counts what is read of it.
type endless struct {
	begin string
	read  int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	copy(p, e.begin)
	e.begin = e.begin[min(len(p), len(e.begin)):]
	e.read += len(p)
	return len(p), nil
}

func TestAnOpenQuoteIsNotReadToItsEnd(t *testing.T) {
	for _, begin := range []string{"a,b\n1,2\n\"", "a,b\n1,2\n", ""} {
		from := &endless{begin: begin}
		if _, err := lexed(from, ','); !errors.Is(err, errTooLong) {
			t.Errorf("%q: %v", begin, err)
		}
		if from.read > 4*MaxRow {
			t.Errorf("%q: %d bytes were read to see that a row has no end", begin, from.read)
		}
	}
}

func TestManyFieldsAreCountedNotKept(t *testing.T) {
	l := newLexer(strings.NewReader(strings.Repeat(",", MaxRow) + "\n"))
	l.comma = ','
	if _, err := l.row(); err != nil {
		t.Fatal(err)
	}
	if l.count != MaxRow+1 || len(l.fields) != maxFields {
		t.Errorf("%d fields counted, %d kept", l.count, len(l.fields))
	}
}

// A reader that breaks off says so after the rows before it, and the row that it broke off is no row.
func TestAnErrorOfTheReaderDropsTheRowItBrokeOff(t *testing.T) {
	broken := errors.New("broken")
	for name, split := range readers {
		from := split(io.MultiReader(strings.NewReader("a,b\nc,d\ne,f"), iotest.ErrReader(broken)))
		got, err := lexed(from, ',')
		if !errors.Is(err, broken) || !slices.EqualFunc(got, [][]string{{"a", "b"}, {"c", "d"}}, slices.Equal) {
			t.Errorf("%s: got %q and %v", name, got, err)
		}
	}
	if _, err := lexed(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("a,b"))), ','); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("got %v, want the time-out of the reader", err)
	}
	if _, err := lexed(idle{}, ','); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v of a reader that reads nothing", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// A slow sender of long rows costs little more than a fast one: what was looked at is not looked at again, which would be
// two thousand million steps.
func TestALongRowByTheByteIsLookedAtOnce(t *testing.T) {
	for _, row := range []string{strings.Repeat("x", MaxRow), `"` + strings.Repeat("x", MaxRow-2) + `"`} {
		best := time.Hour
		for range 5 {
			start := time.Now()
			if _, err := lexed(iotest.OneByteReader(strings.NewReader(row)), ','); !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		if best > 300*time.Millisecond {
			t.Errorf("%v for a row of %d bytes", best, MaxRow)
		}
	}
}
