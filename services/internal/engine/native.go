package engine

import (
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
}

func newNativeWriter(out io.Writer, revision uint64, zone *time.Location) *nativeWriter {
	w := &nativeWriter{out: out, revision: revision, context: column.ServerContext{Timezone: zone}}
	w.reader = chproto.NewReader(&w.chunks)
	return w
}

// Write takes whole blocks: the engine never cuts one.
func (w *nativeWriter) Write(data []byte) (int, error) {
	w.chunks.data = data
	for {
		block := proto.Block{ServerContext: &w.context}
		if err := block.Decode(w.reader, 0); err != nil {
			// Between two blocks the end of the data is the end of the chunk.
			if errors.Is(err, io.EOF) && len(block.Columns) == 0 {
				return len(data), nil
			}
			return 0, fmt.Errorf("engine: read a result block: %w", err)
		}
		w.buffer.Reset()
		if err := w.encode(&block); err != nil {
			return 0, fmt.Errorf("engine: write a result block: %w", err)
		}
		if _, err := w.out.Write(w.buffer.Buf); err != nil {
			return 0, err
		}
	}
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
