package engine_test

import (
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"gapwatch/services/internal/engine/enginetest"
)

// The table is shaped like events: twelve columns, all but one of a fixed width.
const benchTable = `CREATE OR REPLACE TABLE bench (
	a UInt64, b UInt64, c UInt32, d Date32, e UInt128, f UUID, g Int32, h UInt16, i UInt8, j Float64, k DateTime64(6), l LowCardinality(String)
) ENGINE = MergeTree ORDER BY a`

func benchColumns(rows int) []any {
	var (
		a = make([]uint64, rows)
		c = make([]uint32, rows)
		d = make([]time.Time, rows)
		e = make([]*big.Int, rows)
		f = make([]uuid.UUID, rows)
		g = make([]int32, rows)
		h = make([]uint16, rows)
		i = make([]uint8, rows)
		j = make([]float64, rows)
		l = make([]string, rows)
	)
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range rows {
		a[n], c[n], g[n], h[n], i[n], j[n] = uint64(n), uint32(n), int32(n), uint16(n), uint8(n), float64(n)
		d[n], e[n], f[n], l[n] = day.AddDate(0, 0, n%365), big.NewInt(int64(n)), uuid.UUID{byte(n), byte(n >> 8)}, strconv.Itoa(n%50)
	}
	return []any{a, a, c, d, e, f, g, h, i, j, d, l}
}

func BenchmarkInsert(b *testing.B) {
	const rows = 500_000
	columns := benchColumns(rows)
	for _, name := range []string{"none", "lz4"} {
		b.Run(name, func(b *testing.B) {
			conn := databaseAt(b, enginetest.URL(b), func(o *clickhouse.Options) { o.Compression = compressions[name] })
			run(b, conn, benchTable)
			var send time.Duration
			for b.Loop() {
				batch, err := conn.PrepareBatch(b.Context(), "INSERT INTO bench")
				if err != nil {
					b.Fatal(err)
				}
				for i, values := range columns {
					if err := batch.Column(i).Append(values); err != nil {
						b.Fatal(err)
					}
				}
				began := time.Now()
				if err := batch.Send(); err != nil {
					b.Fatal(err)
				}
				send += time.Since(began)
			}
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(rows*b.N)/send.Seconds(), "sent-rows/s")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	const rows = 10_000_000
	conn := databaseAt(b, enginetest.URL(b))
	run(b, conn, benchTable, fmt.Sprintf(`INSERT INTO bench SELECT number, number * 3, number, toDate32('2025-01-01') + modulo(number, 365), number,
		reinterpretAsUUID(number), number, number, number, number / 7, toDateTime64('2025-01-01 00:00:00', 6), toString(modulo(number, 50)) FROM numbers(%d)`, rows))
	for _, name := range []string{"none", "lz4"} {
		b.Run("driver/"+name, func(b *testing.B) {
			conn := databaseAt(b, enginetest.URL(b), func(o *clickhouse.Options) {
				o.Compression, o.Auth.Database = compressions[name], "benchmarkread"
			})
			for b.Loop() {
				result, err := conn.Query(b.Context(), "SELECT * FROM bench")
				if err != nil {
					b.Fatal(err)
				}
				read := 0
				for result.Next() {
					read++
				}
				if result.Err() != nil || read != rows {
					b.Fatal(read, result.Err())
				}
			}
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	for _, revision := range []string{"0", "54460"} {
		b.Run("bytes/revision="+revision, func(b *testing.B) {
			params := url.Values{"database": {"benchmarkread"}, "default_format": {"Native"}, "client_protocol_version": {revision}}
			for b.Loop() {
				response, err := http.Post(enginetest.URL(b)+"/?"+params.Encode(), "", strings.NewReader("SELECT * FROM bench"))
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, response.Body, make([]byte, 1<<20))
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(n)
				response.Body.Close()
			}
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkQuery is what one small query costs.
func BenchmarkQuery(b *testing.B) {
	conn := open(b, options(b, enginetest.URL(b)))
	for b.Loop() {
		if got := scalar[uint8](b, conn, "SELECT 1"); got != 1 {
			b.Fatal(got)
		}
	}
}
