package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"gapwatch/services/internal/engine/enginetest"
)

// options is how services connect: nothing here is special to the embedded engine.
func options(t testing.TB, rawURL string) *clickhouse.Options {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return &clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{u.Host}, DialTimeout: 30 * time.Second}
}

func open(t testing.TB, opts *clickhouse.Options) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// database makes a database for one test and returns a connection to it.
func database(t testing.TB, change ...func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	return databaseAt(t, enginetest.URL(t), change...)
}

func databaseAt(t testing.TB, rawURL string, change ...func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	opts := options(t, rawURL)
	name := strings.ToLower(strings.NewReplacer("/", "_", "=", "_", "(", "_", ")", "_").Replace(t.Name()))
	admin := open(t, opts)
	run(t, admin, "CREATE DATABASE IF NOT EXISTS `"+name+"` ENGINE = Atomic")
	scoped := *opts
	scoped.Auth.Database = name
	for _, c := range change {
		c(&scoped)
	}
	return open(t, &scoped)
}

func run(t testing.TB, conn driver.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func scalar[T any](t testing.TB, conn driver.Conn, query string, args ...any) T {
	t.Helper()
	var value T
	if err := conn.QueryRow(t.Context(), query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// post sends a request as curl would and returns status, header and body.
func post(t testing.TB, rawURL string, params url.Values, body io.Reader) (int, http.Header, string) {
	t.Helper()
	response, err := http.Post(rawURL+"/?"+params.Encode(), "", body)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(data)
}

func TestPing(t *testing.T) {
	base := enginetest.URL(t)
	for _, path := range []string{"/ping", "/"} {
		response, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if string(body) != "Ok.\n" || response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %q", path, response.Status, body)
		}
	}
}

type allTypes struct {
	LC       string              `ch:"lc"`
	ID       uuid.UUID           `ch:"id"`
	D32      time.Time           `ch:"d32"`
	DT3      time.Time           `ch:"dt3"`
	DT6      time.Time           `ch:"dt6"`
	DT       time.Time           `ch:"dt"`
	U8       uint8               `ch:"u8"`
	U16      uint16              `ch:"u16"`
	U32      uint32              `ch:"u32"`
	U64      uint64              `ch:"u64"`
	U128     *big.Int            `ch:"u128"`
	I32      int32               `ch:"i32"`
	I64      int64               `ch:"i64"`
	E8       string              `ch:"e8"`
	ALC      []string            `ch:"alc"`
	FS       string              `ch:"fs"`
	F64      float64             `ch:"f64"`
	NF64     *float64            `ch:"nf64"`
	S        string              `ch:"s"`
	T        []any               `ch:"t"`
	M        map[string]uint64   `ch:"m"`
	B        bool                `ch:"b"`
	NLC      *string             `ch:"nlc"`
	AA       [][]int32           `ch:"aa"`
	MA       map[string][]string `ch:"ma"`
	U256     *big.Int            `ch:"u256"`
	I16      int16               `ch:"i16"`
	F32      float32             `ch:"f32"`
	ATuple   [][]any             `ch:"at"`
	NullUUID *uuid.UUID          `ch:"nu"`
}

const allTypesTable = `CREATE TABLE all_types (
	lc LowCardinality(String), id UUID, d32 Date32, dt3 DateTime64(3), dt6 DateTime64(6, 'Europe/London'), dt DateTime('UTC'),
	u8 UInt8, u16 UInt16, u32 UInt32, u64 UInt64, u128 UInt128, i32 Int32, i64 Int64,
	e8 Enum8('a' = 1, 'b' = -2), alc Array(LowCardinality(String)), fs FixedString(4), f64 Float64, nf64 Nullable(Float64),
	s String, t Tuple(UInt8, String), m Map(String, UInt64), b Bool, nlc LowCardinality(Nullable(String)),
	aa Array(Array(Int32)), ma Map(LowCardinality(String), Array(String)), u256 UInt256, i16 Int16, f32 Float32,
	at Array(Tuple(UInt8, String)), nu Nullable(UUID)
) ENGINE = MergeTree ORDER BY u64`

func allTypesRows() []allTypes {
	half, text, id := 0.5, "x", uuid.MustParse("6f7c0bb4-3d69-4d0b-9cf0-0e5f9d0b1c2a")
	big128, _ := new(big.Int).SetString("340282366920938463463374607431768211455", 10)
	return []allTypes{
		{
			LC: "flu", ID: id, D32: time.Date(1950, 2, 3, 0, 0, 0, 0, time.UTC),
			DT3: time.Date(2025, 7, 1, 12, 0, 0, 123e6, time.UTC), DT6: time.Date(2025, 7, 1, 12, 0, 0, 123456e3, time.UTC),
			DT: time.Date(2025, 7, 1, 12, 0, 1, 0, time.UTC),
			U8: 255, U16: 65535, U32: 1<<32 - 1, U64: 1, U128: big128, I32: -1 << 31, I64: -1 << 63, E8: "b",
			ALC: []string{"smi", "ld", "smi"}, FS: "abcd", F64: 1.5, NF64: &half, S: "naïve ' \\ \n \x00 text",
			T: []any{uint8(7), "seven"}, M: map[string]uint64{"k": 1, "l": 2}, B: true, NLC: &text,
			AA: [][]int32{{1, 2}, {}, {3}}, MA: map[string][]string{"a": {"b", "c"}, "d": {}}, U256: big128, I16: -3, F32: 0.25,
			ATuple: [][]any{{uint8(1), "a"}, {uint8(2), "b"}}, NullUUID: &id,
		},
		{
			LC: "", ID: uuid.UUID{}, D32: time.Date(2299, 12, 31, 0, 0, 0, 0, time.UTC), DT3: time.UnixMilli(0).UTC(),
			DT6: time.UnixMilli(0).UTC(), DT: time.Unix(0, 0).UTC(), U64: 2, U128: new(big.Int), E8: "a", ALC: []string{},
			FS: "\x00\x00\x00\x00", T: []any{uint8(0), ""}, M: map[string]uint64{}, AA: [][]int32{},
			MA: map[string][]string{}, U256: new(big.Int), ATuple: [][]any{},
		},
	}
}

// normal makes values comparable: times by instant, big integers by text.
func normal(row allTypes) string {
	for _, at := range []*time.Time{&row.D32, &row.DT3, &row.DT6, &row.DT} {
		*at = at.UTC()
	}
	text := func(v any) string {
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && !rv.IsNil() {
			if n, ok := v.(*big.Int); ok {
				return n.String()
			}
			return fmt.Sprintf("%#v", rv.Elem().Interface())
		}
		return fmt.Sprintf("%#v", v)
	}
	var out strings.Builder
	for v, i := reflect.ValueOf(row), 0; i < v.NumField(); i++ {
		field := v.Field(i).Interface()
		if at, ok := field.(time.Time); ok {
			field = at.Format(time.RFC3339Nano)
		}
		fmt.Fprintf(&out, "%s=%s\n", v.Type().Field(i).Name, text(field))
	}
	return out.String()
}

var compressions = map[string]*clickhouse.Compression{
	"none":    nil,
	"lz4":     {Method: clickhouse.CompressionLZ4},
	"lz4hc":   {Method: clickhouse.CompressionLZ4HC, Level: 5},
	"zstd":    {Method: clickhouse.CompressionZSTD},
	"gzip":    {Method: clickhouse.CompressionGZIP, Level: 1},
	"deflate": {Method: clickhouse.CompressionDeflate, Level: 1},
	"brotli":  {Method: clickhouse.CompressionBrotli, Level: 1},
}

// compressed asks for a compression. The ones of HTTP itself are off on a server unless a setting turns them on.
func compressed(compression *clickhouse.Compression) func(*clickhouse.Options) {
	return func(o *clickhouse.Options) {
		o.Compression = compression
		o.Settings = clickhouse.Settings{"enable_http_compression": 1}
	}
}

func TestRoundTripOfEveryType(t *testing.T) {
	for name, compression := range compressions {
		t.Run(name, func(t *testing.T) {
			conn := database(t, compressed(compression))
			run(t, conn, allTypesTable)
			want := allTypesRows()
			batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO all_types")
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if err := batch.AppendStruct(&want[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := batch.Send(); err != nil {
				t.Fatal(err)
			}
			var got []allTypes
			if err := conn.Select(t.Context(), &got, "SELECT * FROM all_types ORDER BY u64"); err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("got %d rows", len(got))
			}
			for i := range want {
				if g, w := normal(got[i]), normal(want[i]); g != w {
					t.Errorf("row %d: got\n%s\nwant\n%s", i, g, w)
				}
			}
			if text := scalar[string](t, conn, "SELECT toString(d32) FROM all_types WHERE u64 = 1"); text != "1950-02-03" {
				t.Errorf("Date32 became %s", text)
			}
			// No rows: the driver must see an empty result, not an error.
			got = nil
			if err := conn.Select(t.Context(), &got, "SELECT * FROM all_types WHERE u64 > 2"); err != nil || len(got) != 0 {
				t.Errorf("empty result: %v, %d rows", err, len(got))
			}
		})
	}
}

func TestMillionRowsInAndOut(t *testing.T) {
	conn := database(t, func(o *clickhouse.Options) {
		o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	})
	run(t, conn, "CREATE TABLE t (n UInt64, s LowCardinality(String), f Float64) ENGINE = MergeTree ORDER BY n")
	const rows = 1_000_000
	numbers, texts, floats := make([]uint64, rows), make([]string, rows), make([]float64, rows)
	for i := range rows {
		numbers[i], texts[i], floats[i] = uint64(i), fmt.Sprint(i%97), float64(i)/2
	}
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO t (n, s, f)")
	if err != nil {
		t.Fatal(err)
	}
	for i, column := range []any{numbers, texts, floats} {
		if err := batch.Column(i).Append(column); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	result, err := conn.Query(t.Context(), "SELECT n, s, f FROM t ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = result.Close() }()
	read := 0
	for result.Next() {
		var n uint64
		var s string
		var f float64
		if err := result.Scan(&n, &s, &f); err != nil {
			t.Fatal(err)
		}
		if n != numbers[read] || s != texts[read] || f != floats[read] {
			t.Fatalf("row %d is %d %s %v", read, n, s, f)
		}
		read++
	}
	if err := result.Err(); err != nil {
		t.Fatal(err)
	}
	if read != rows {
		t.Fatalf("read %d rows", read)
	}
}

func TestDatabaseSQL(t *testing.T) {
	conn := database(t)
	run(t, conn, "CREATE TABLE t (a Int32, s String) ENGINE = MergeTree ORDER BY a")
	opts := options(t, enginetest.URL(t))
	opts.Auth.Database = "testdatabasesql"
	db := clickhouse.OpenDB(opts)
	defer func() { _ = db.Close() }()
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	insert, err := tx.PrepareContext(t.Context(), "INSERT INTO t (a, s)")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if _, err := insert.ExecContext(t.Context(), int32(i), fmt.Sprint("s", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var sum int64
	var last string
	row := db.QueryRowContext(t.Context(), "SELECT sum(a), max(s) FROM t WHERE a > {least:Int32}", clickhouse.Named("least", 7))
	if err := row.Scan(&sum, &last); err != nil {
		t.Fatal(err)
	}
	if sum != 17 || last != "s9" {
		t.Errorf("got %d %s", sum, last)
	}
}

func TestErrorsCarryTheCode(t *testing.T) {
	for name, compression := range compressions {
		t.Run(name, func(t *testing.T) {
			conn := database(t, compressed(compression))
			for _, test := range []struct {
				query        string
				code, status int
			}{
				{"SELECT * FROM no_such_table", 60, 404},
				{"SELEC 1", 62, 400},
				{"SELECT no_such_column", 47, 404},
				{"SELECT no_such_function(1)", 46, 404},
				{"INSERT INTO no_such_table VALUES (1)", 60, 404},
				{"CREATE TABLE a (b Nonsense) ENGINE = Memory", 50, 404},
				{"SELECT 1 SETTINGS no_such_setting = 1", 115, 404},
			} {
				for _, via := range []string{"exec", "query"} {
					var err error
					if via == "exec" {
						err = conn.Exec(t.Context(), test.query)
					} else {
						var rows driver.Rows
						if rows, err = conn.Query(t.Context(), test.query); err == nil {
							_ = rows.Close()
						}
					}
					var exception *clickhouse.Exception
					var status *clickhouse.HTTPError
					if !errors.As(err, &exception) || int(exception.Code) != test.code {
						t.Errorf("%s %s: %v", via, test.query, err)
					} else if !errors.As(err, &status) || status.StatusCode != test.status {
						t.Errorf("%s %s: status of %v", via, test.query, err)
					}
				}
			}
			opts := options(t, enginetest.URL(t))
			opts.Auth.Database = "no_such_database"
			opts.Compression = compression
			err := open(t, opts).Ping(t.Context())
			var exception *clickhouse.Exception
			if !errors.As(err, &exception) || exception.Code != 81 {
				t.Errorf("unknown database: %v", err)
			}
		})
	}
}

func TestFailureInTheMiddleOfTheResult(t *testing.T) {
	for name, compression := range compressions {
		t.Run(name, func(t *testing.T) {
			conn := database(t, compressed(compression))
			rows, err := conn.Query(t.Context(), "SELECT number, throwIf(number = 1500000) FROM numbers(3000000) SETTINGS max_block_size = 10000, max_threads = 1")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = rows.Close() }()
			read := 0
			for rows.Next() {
				read++
			}
			var exception *clickhouse.Exception
			if !errors.As(rows.Err(), &exception) || exception.Code != 395 {
				t.Errorf("after %d rows: %v", read, rows.Err())
			}
			if read == 0 || read > 1500000 {
				t.Errorf("read %d rows", read)
			}
			if one := scalar[uint8](t, conn, "SELECT 1"); one != 1 {
				t.Error("the connection is of no use afterwards")
			}
		})
	}
}

func TestParameters(t *testing.T) {
	conn := database(t)
	hostile := "it's \\ \"`\t\n\r\x00 {x:String} ; DROP TABLE t -- "
	if got := scalar[string](t, conn, "SELECT {text:String}", clickhouse.Named("text", hostile)); got != hostile {
		t.Errorf("got %q", got)
	}
	if got := scalar[*string](t, conn, "SELECT {text:Nullable(String)}", clickhouse.Named("text", nil)); got != nil {
		t.Errorf("NULL became %q", *got)
	}
	if got := scalar[uint64](t, conn, "SELECT arraySum({list:Array(UInt64)})", clickhouse.Named("list", []uint64{1, 2, 39})); got != 42 {
		t.Errorf("got %d", got)
	}
	list := []string{"a'b", "c\\d", "e,f"}
	var got []string
	if err := conn.QueryRow(t.Context(), "SELECT {list:Array(String)}", clickhouse.Named("list", list)).Scan(&got); err != nil || !reflect.DeepEqual(got, list) {
		t.Errorf("got %q, %v", got, err)
	}
	if got := scalar[uint64](t, conn, "SELECT count() FROM system.{name:Identifier}", clickhouse.Named("name", "one")); got != 1 {
		t.Errorf("got %d", got)
	}
	at := time.Date(2025, 7, 1, 12, 0, 0, 123e6, time.UTC)
	if got := scalar[time.Time](t, conn, "SELECT {at:DateTime64(3)}", clickhouse.DateNamed("at", at, clickhouse.MilliSeconds)); !got.Equal(at) {
		t.Errorf("got %s", got)
	}
	// The older way: the driver puts values into the text.
	if got := scalar[string](t, conn, "SELECT ?", "it's \\"); got != "it's \\" {
		t.Errorf("got %q", got)
	}
	run(t, conn, "CREATE TABLE t (s String) ENGINE = MergeTree ORDER BY s")
	if err := conn.Exec(t.Context(), "INSERT INTO t SELECT {text:String}", clickhouse.Named("text", hostile)); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(t.Context(), "INSERT INTO t VALUES ({text:String})", clickhouse.Named("text", "second")); err != nil {
		t.Fatal(err)
	}
	if got := scalar[uint64](t, conn, "SELECT count() FROM t WHERE s IN ({text:String}, 'second')", clickhouse.Named("text", hostile)); got != 2 {
		t.Errorf("got %d", got)
	}
}

func TestSettingsDoNotLeak(t *testing.T) {
	base := enginetest.URL(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for round := range 25 {
				query := "SELECT getSetting('max_threads'), getSetting('max_block_size')"
				want := fmt.Sprint(i+3, "\t", 1000+round)
				_, _, got := post(t, base, url.Values{"max_threads": {fmt.Sprint(i + 3)}, "max_block_size": {fmt.Sprint(1000 + round)}}, strings.NewReader(query))
				if strings.TrimSpace(got) != want {
					t.Errorf("got %q, want %q", got, want)
				}
				// SET inside a query lasts no longer than that request.
				post(t, base, url.Values{"database": {"system"}}, strings.NewReader("SET max_block_size = 7, param_x = 'y'"))
				_, _, got = post(t, base, nil, strings.NewReader("SELECT getSetting('max_block_size'), currentDatabase()"))
				if strings.TrimSpace(got) != "65409\tdefault" {
					t.Errorf("leaked: %q", got)
				}
			}
		})
	}
	group.Wait()
	if status, header, body := post(t, base, url.Values{"no_such_setting": {"1"}}, strings.NewReader("SELECT 1")); status != 404 || header.Get("X-ClickHouse-Exception-Code") != "115" {
		t.Errorf("unknown setting: %d %s", status, body)
	}
	// A query's limits hold.
	status, _, body := post(t, base, url.Values{"max_execution_time": {"0.2"}}, strings.NewReader("SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))"))
	if status != http.StatusRequestTimeout || !strings.Contains(body, "Code: 159.") {
		t.Errorf("max_execution_time: %d %s", status, body)
	}
}

func TestConcurrentQueries(t *testing.T) {
	conn := database(t, func(o *clickhouse.Options) { o.MaxOpenConns = 20 })
	run(t, conn, "CREATE TABLE t (n UInt64, g UInt8) ENGINE = ReplacingMergeTree ORDER BY n")
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for round := range 10 {
				batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO t")
				if err != nil {
					t.Error(err)
					return
				}
				for i := range 1000 {
					_ = batch.Append(uint64(g*1_000_000+round*1000+i), uint8(g))
				}
				if err := batch.Send(); err != nil {
					t.Error(err)
				}
				var count, sum uint64
				if err := conn.QueryRow(t.Context(), "SELECT count(), sum(n) FROM t FINAL WHERE g = ?", uint8(g)).Scan(&count, &sum); err != nil || count != uint64(round+1)*1000 {
					t.Errorf("group %d round %d: %d, %v", g, round, count, err)
				}
			}
		})
	}
	group.Wait()
}

func TestResultIsStreamed(t *testing.T) {
	// The result is endless: reading its start and leaving must neither hang nor hold it in memory.
	conn := database(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows, err := conn.Query(ctx, "SELECT number FROM system.numbers")
	if err != nil {
		t.Fatal(err)
	}
	for range 200_000 {
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
	}
	cancel()
	waitForNoQuery(t, conn, "%system.numbers%")
}

// waitForNoQuery asks until no query like the pattern runs; the test's deadline is the limit.
func waitForNoQuery(t testing.TB, conn driver.Conn, pattern string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		running := scalar[uint64](t, conn, "SELECT count() FROM system.processes WHERE query LIKE ? AND query NOT LIKE '%system.processes%'", pattern)
		if running == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still running: %s", pattern)
		}
	}
}

func waitForQuery(t testing.TB, conn driver.Conn, pattern string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		running := scalar[uint64](t, conn, "SELECT count() FROM system.processes WHERE query LIKE ? AND query NOT LIKE '%system.processes%'", pattern)
		if running > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("never ran: %s", pattern)
		}
	}
}

func TestClientThatLeavesEndsItsQuery(t *testing.T) {
	conn := database(t)
	run(t, conn, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
	for name, query := range map[string]string{
		"select": "SELECT count() FROM numbers(100000000000) WHERE NOT ignore(sipHash64(number), 'select')",
		"insert": "INSERT INTO t SELECT count() FROM numbers(100000000000) WHERE NOT ignore(sipHash64(number), 'insert')",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			failed := make(chan error, 1)
			go func() { failed <- conn.Exec(ctx, query) }()
			pattern := query[:30] + "%"
			waitForQuery(t, conn, pattern)
			cancel()
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			waitForNoQuery(t, conn, pattern)
		})
	}
}

func TestPlainHTTP(t *testing.T) {
	base := enginetest.URL(t)
	conn := database(t)
	run(t, conn, "CREATE TABLE t (a Int32, s String) ENGINE = MergeTree ORDER BY a", "CREATE TABLE settings (a Int32) ENGINE = Memory")
	query := func(params url.Values, body string) string {
		t.Helper()
		if params == nil {
			params = url.Values{}
		}
		params.Set("database", "testplainhttp")
		status, _, text := post(t, base, params, strings.NewReader(body))
		if status != http.StatusOK {
			t.Errorf("%v %q: %d %s", params, body, status, text)
		}
		return text
	}
	query(nil, "INSERT INTO t VALUES (1, 'x;y'), (2, 'FORMAT')")
	query(nil, "INSERT INTO t FORMAT CSV\n3,\"a;b\"\n4,z\n")
	query(nil, "INSERT INTO t (a, s) SETTINGS max_threads = 1 FORMAT JSONEachRow {\"a\": 5, \"s\": \"j\"}")
	query(url.Values{"query": {"INSERT INTO t FORMAT TSV"}}, "6\tq\n7\tr\n")
	query(url.Values{"query": {"insert into t values"}}, "(8, 'v')")
	query(url.Values{"query": {"INSERT INTO settings FORMAT TSV"}}, "1\n")
	if got := query(nil, "SELECT a, s FROM t ORDER BY a"); got != "1\tx;y\n2\tFORMAT\n3\ta;b\n4\tz\n5\tj\n6\tq\n7\tr\n8\tv\n" {
		t.Errorf("got %q", got)
	}
	if got := query(nil, "SELECT count() FROM settings FORMAT CSV"); got != "1\n" {
		t.Errorf("got %q", got)
	}
	if got := query(url.Values{"query": {"SELECT 1,"}}, "2"); got != "1\t2\n" {
		t.Errorf("text in both places: %q", got)
	}
	if got := query(url.Values{"default_format": {"CSVWithNames"}}, "SELECT number AS n FROM numbers(200000)"); strings.Count(got, "\"n\"") != 1 {
		t.Errorf("%d header lines", strings.Count(got, "\"n\""))
	}
	if got := query(nil, "SELECT 1 AS format FORMAT JSONEachRow -- comment FORMAT CSV"); got != "{\"format\":1}\n" {
		t.Errorf("got %q", got)
	}
	// No rows are no error, a table that is not there is one, with rows or without.
	query(url.Values{"query": {"INSERT INTO t FORMAT Native"}}, "")
	query(url.Values{"query": {"INSERT INTO t VALUES ({n:Int32}, 'p')"}, "param_n": {"10"}}, "")
	if got := query(nil, "SELECT s FROM t WHERE a = 10"); got != "p\n" {
		t.Errorf("got %q", got)
	}
	if status, _, body := post(t, base, url.Values{"query": {"INSERT INTO nowhere FORMAT Native"}}, nil); status != http.StatusNotFound {
		t.Errorf("%d %s", status, body)
	}
	// What cannot be done is refused rather than done to no effect.
	if status, _, body := post(t, base, url.Values{"database": {"testplainhttp"}, "query": {"INSERT INTO t SELECT a, 'i' FROM input('a Int32') FORMAT TSV"}}, strings.NewReader("1\n")); status != http.StatusNotImplemented {
		t.Errorf("%d %s", status, body)
	}
	// What the driver's blocks do not know fails with a status, not within the data.
	if status, _, body := post(t, base, url.Values{"default_format": {"Native"}, "client_protocol_version": {"54460"}}, strings.NewReader("SELECT sumState(1)")); status == http.StatusOK {
		t.Errorf("%d %q", status, body)
	}
	// A link changes nothing.
	response, err := http.Get(base + "/?database=testplainhttp&query=" + url.QueryEscape("INSERT INTO t VALUES (9, 'g')"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if code := response.Header.Get("X-ClickHouse-Exception-Code"); code != "164" {
		t.Errorf("GET wrote: code %q", code)
	}
	// Nor does a page of another origin.
	request, _ := http.NewRequest(http.MethodPost, base+"/", strings.NewReader("SELECT 1"))
	request.Header.Set("Origin", "https://example.org")
	if response, err = http.DefaultClient.Do(request); err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("another origin: %s", response.Status)
	}
}

// TestCutOffInsertLeavesNothing: a body that ends too early must not insert its first rows.
func TestCutOffInsertLeavesNothing(t *testing.T) {
	base := enginetest.URL(t)
	conn := database(t)
	run(t, conn, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
	reader, writer := io.Pipe()
	go func() {
		_, _ = writer.Write(bytes.Repeat([]byte("1\n"), 100_000))
		writer.CloseWithError(errors.New("the sender died"))
	}()
	_, err := http.Post(base+"/?database=testcutoffinsertleavesnothing&query="+url.QueryEscape("INSERT INTO t FORMAT TSV"), "", reader)
	if err == nil {
		t.Fatal("no error")
	}
	if got := scalar[uint64](t, conn, "SELECT count() FROM t"); got != 0 {
		t.Errorf("%d rows", got)
	}
}

// lockedBuffer is a buffer that a process may write while a test reads.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func asException(err error, target **clickhouse.Exception) bool { return errors.As(err, target) }
