package engine

import (
	"bytes"
	"strings"
	"testing"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
	"github.com/google/uuid"
)

// blocks are some blocks of revision 0, small and large, of types that are copied.
func blocks(t *testing.T) []byte {
	t.Helper()
	var out chproto.Buffer
	for _, rows := range []int{0, 3, 5000} {
		var (
			ids   chproto.ColUUID
			small chproto.ColUInt8
			day   chproto.ColDate32
			float chproto.ColFloat64
			state chproto.ColEnum8
			made  chproto.ColDateTime64
		)
		made.WithPrecision(6)
		for i := range rows {
			ids, small, day = append(ids, uuid.UUID{byte(i), 15: byte(i >> 3)}), append(small, uint8(i)), append(day, chproto.Date32(i))
			float, state = append(float, float64(i)/7), append(state, chproto.Enum8(i%2))
			made.Append(time.UnixMicro(int64(i)).UTC())
		}
		columns := []chproto.InputColumn{{Name: "id", Data: ids}, {Name: "small", Data: small}, {Name: "day", Data: day}, {Name: "float", Data: float},
			{Name: "state", Data: chproto.Alias(&state, "Enum8('(a' = 0, 'b' = 1)")}, {Name: "made", Data: &made}}
		if err := (chproto.Block{Columns: len(columns), Rows: rows}).EncodeRawBlock(&out, 0, columns); err != nil {
			t.Fatal(err)
		}
	}
	return out.Buf
}

// Blocks that are copied come out as they would if they were taken apart.
func TestPlainBlocksAreCopied(t *testing.T) {
	data := blocks(t)
	for _, revision := range []uint64{1, proto.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION - 1, proto.DBMS_TCP_PROTOCOL_VERSION} {
		var copied, converted bytes.Buffer
		w := newNativeWriter(&copied, revision, time.UTC)
		if rest := data; !w.parse(&rest) {
			t.Fatal("the first block is not copied")
		}
		if n, err := w.Write(data); n != len(data) || err != nil {
			t.Fatal(n, err)
		}
		if err := newNativeWriter(&converted, revision, time.UTC).convert(data); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(copied.Bytes(), converted.Bytes()) {
			t.Errorf("revision %d: copied and converted blocks differ", revision)
		}
	}
}

// A block that is cut off within its columns is an error, and what is no column of the copied types is converted.
func TestOnlyWholePlainBlocksAreCopied(t *testing.T) {
	data := blocks(t)
	for _, end := range []int{40, 200, len(data) - 1} {
		var out bytes.Buffer
		if _, err := newNativeWriter(&out, 1, time.UTC).Write(data[:end]); err == nil {
			t.Errorf("%d bytes of %d are taken for whole blocks", end, len(data))
		}
	}
	if _, err := newNativeWriter(&bytes.Buffer{}, 1, time.UTC).Write([]byte("Code: 241")); err == nil {
		t.Error("what is no block, and says of more columns than it has bytes, is taken for nothing")
	}
	var text chproto.ColStr
	text.Append(strings.Repeat("x", 300))
	var mixed chproto.Buffer
	if err := (chproto.Block{Columns: 2, Rows: 1}).EncodeRawBlock(&mixed, 0, []chproto.InputColumn{
		{Name: "n", Data: chproto.ColUInt8{1}}, {Name: "text", Data: text}}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := newNativeWriter(&out, 1, time.UTC)
	if rest := mixed.Buf; w.parse(&rest) || len(rest) != len(mixed.Buf) {
		t.Error("a block with a text is copied")
	}
	if _, err := w.Write(mixed.Buf); err != nil || !strings.Contains(out.String(), "text") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
