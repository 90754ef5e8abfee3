package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// nativeWriter turns Native blocks of revision 0, which is all that the engine writes, into those of the revision that
// the client asked for.
type nativeWriter struct {
	out      io.Writer
	revision uint64
	context  column.ServerContext

	chunks chunkReader
	reader *chproto.Reader
	buffer chproto.Buffer
	plain  []plainColumn // of the block parsed last
	rows   int
}

func newNativeWriter(out io.Writer, revision uint64, zone *time.Location) *nativeWriter {
	w := &nativeWriter{out: out, revision: revision, context: column.ServerContext{Timezone: zone}}
	w.reader = chproto.NewReader(&w.chunks)
	return w
}

// Write takes whole blocks: the engine never cuts one.
func (w *nativeWriter) Write(data []byte) (int, error) {
	rest := data
	for len(rest) > 0 && w.parse(&rest) {
		if err := w.copy(); err != nil {
			return 0, err
		}
	}
	return len(data), w.convert(rest)
}

// convert writes blocks that are not plain.
func (w *nativeWriter) convert(data []byte) error {
	w.chunks.data = data
	for {
		block := proto.Block{ServerContext: &w.context}
		if err := block.Decode(w.reader, 0); err != nil {
			// Between two blocks the end of the data is the end of the chunk.
			if errors.Is(err, io.EOF) && len(block.Columns) == 0 {
				return nil
			}
			return fmt.Errorf("engine: read a result block: %w", err)
		}
		w.buffer.Reset()
		if err := w.encode(&block); err != nil {
			return fmt.Errorf("engine: write a result block: %w", err)
		}
		if _, err := w.out.Write(w.buffer.Buf); err != nil {
			return err
		}
	}
}

// plainColumn is a column of a block whose values are the same bytes in every revision.
type plainColumn struct {
	head   []byte // name and type
	values []byte
}

// widths are the bytes of a value, by the type's name up to its first bracket. Other columns are taken apart and written
// anew, which takes several times as long.
var widths = map[string]int{
	"Bool": 1, "Int8": 1, "Int16": 2, "Int32": 4, "Int64": 8, "Int128": 16, "Int256": 32, "UInt8": 1, "UInt16": 2, "UInt32": 4, "UInt64": 8, "UInt128": 16,
	"UInt256": 32, "Float32": 4, "Float64": 8, "UUID": 16, "Date": 2, "Date32": 4, "DateTime": 4, "DateTime64": 8, "Enum8": 1, "Enum16": 2,
}

// parse takes a block off the front of data and sets w.plain to its columns. It does nothing where one of them is not
// plain or cut off.
func (w *nativeWriter) parse(data *[]byte) bool {
	rest := *data
	number := func() int {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(*data)) {
			rest = nil
			return 0
		}
		rest = rest[size:]
		return int(n)
	}
	text := func() []byte {
		n := number()
		if n > len(rest) {
			rest = nil
			return nil
		}
		t := rest[:n]
		rest = rest[n:]
		return t
	}
	columns, rows := number(), number()
	if columns == 0 {
		return false
	}
	w.plain = w.plain[:0]
	for range columns {
		head := rest
		text()
		kind, _, _ := bytes.Cut(text(), []byte{'('})
		size := rows * widths[string(kind)]
		if widths[string(kind)] == 0 || size > len(rest) {
			return false
		}
		w.plain = append(w.plain, plainColumn{head[:len(head)-len(rest)], rest[:size]})
		rest = rest[size:]
	}
	w.rows, *data = rows, rest
	return true
}

// copyFrom is how many bytes of values are written as they are; fewer are gathered first.
const copyFrom = 4 << 10

// copy writes the block that was parsed.
func (w *nativeWriter) copy() error {
	w.buffer.Reset()
	if err := (&proto.Block{}).EncodeHeader(&w.buffer, w.revision); err != nil {
		return fmt.Errorf("engine: write a result block: %w", err)
	}
	w.buffer.Buf = w.buffer.Buf[:len(w.buffer.Buf)-2] // no columns, no rows
	w.buffer.PutUVarInt(uint64(len(w.plain)))
	w.buffer.PutUVarInt(uint64(w.rows))
	for _, c := range w.plain {
		w.buffer.PutRaw(c.head)
		if w.revision >= proto.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION {
			w.buffer.PutBool(false)
		}
		if len(c.values) < copyFrom {
			w.buffer.PutRaw(c.values)
			continue
		}
		for _, part := range [][]byte{w.buffer.Buf, c.values} {
			if _, err := w.out.Write(part); err != nil {
				return err
			}
		}
		w.buffer.Reset()
	}
	_, err := w.out.Write(w.buffer.Buf)
	return err
}

func (w *nativeWriter) encode(block *proto.Block) error {
	if block.Rows() > 0 || len(block.Columns) == 0 {
		return block.Encode(&w.buffer, w.revision)
	}
	// A block without rows has no column prefixes, which Encode would write.
	if err := block.EncodeHeader(&w.buffer, w.revision); err != nil {
		return err
	}
	for _, c := range block.Columns {
		w.buffer.PutString(c.Name())
		w.buffer.PutString(string(c.Type()))
		if w.revision >= proto.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION {
			w.buffer.PutBool(false)
		}
	}
	return nil
}

// chunkReader gives out the chunk set last.
type chunkReader struct{ data []byte }

func (r *chunkReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

// maxFrame is the most that goes into one compressed frame, as on a ClickHouse server.
const maxFrame = 1 << 20

// frameWriter writes ClickHouse's own compressed frames (compress=1).
type frameWriter struct {
	out io.Writer
	enc *compress.Writer
}

func (w *frameWriter) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		part := rest[:min(len(rest), maxFrame)]
		rest = rest[len(part):]
		if err := w.enc.Compress(part); err != nil {
			return 0, fmt.Errorf("engine: compress: %w", err)
		}
		if _, err := w.out.Write(w.enc.Data); err != nil {
			return 0, err
		}
	}
	return len(data), nil
}
