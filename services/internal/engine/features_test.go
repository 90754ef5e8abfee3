package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"gapwatch/services/internal/engine/enginetest"
)

// What the services and their migrations rely on, each shown to work in this engine.

func TestReplacingMergeTree(t *testing.T) {
	conn := database(t)
	run(t, conn, "CREATE TABLE t (k UInt32, version UInt128, v String) ENGINE = ReplacingMergeTree(version) ORDER BY k",
		"INSERT INTO t VALUES (1, 2, 'new')", "INSERT INTO t VALUES (1, 1, 'old'), (2, 1, 'other')")
	if got := scalar[string](t, conn, "SELECT v FROM t FINAL WHERE k = 1"); got != "new" {
		t.Errorf("got %s", got)
	}
	if got := scalar[uint64](t, conn, "SELECT count() FROM t FINAL"); got != 2 {
		t.Errorf("got %d", got)
	}
	run(t, conn, "OPTIMIZE TABLE t FINAL")
	if got := scalar[uint64](t, conn, "SELECT count() FROM t"); got != 2 {
		t.Errorf("after OPTIMIZE: %d", got)
	}
}

func TestMergedPartsStayAWhile(t *testing.T) {
	conn := database(t)
	run(t, conn, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)", "OPTIMIZE TABLE t FINAL")
	if got := scalar[uint64](t, conn, "SELECT countIf(NOT active) FROM system.parts WHERE database = currentDatabase()"); got != 2 {
		t.Errorf("%d merged parts are kept", got)
	}
}

func TestAtomicDatabase(t *testing.T) {
	conn := database(t)
	if got := scalar[string](t, conn, "SELECT engine FROM system.databases WHERE name = currentDatabase()"); got != "Atomic" {
		t.Errorf("got %s", got)
	}
	run(t, conn, "CREATE TABLE a (n UInt8) ENGINE = MergeTree ORDER BY n", "CREATE TABLE b (n UInt8) ENGINE = MergeTree ORDER BY n",
		"INSERT INTO a VALUES (1)", "INSERT INTO b VALUES (2)", "EXCHANGE TABLES a AND b")
	if got := scalar[uint8](t, conn, "SELECT n FROM a"); got != 2 {
		t.Errorf("got %d", got)
	}
	run(t, conn, "RENAME TABLE a TO c", "CREATE OR REPLACE TABLE c (n UInt8) ENGINE = MergeTree ORDER BY n", "DROP TABLE c SYNC")
}

func TestMaterializedViews(t *testing.T) {
	conn := database(t)
	run(t, conn, "CREATE TABLE source (n UInt64, at DateTime64(3)) ENGINE = MergeTree ORDER BY n",
		"CREATE TABLE sums (day Date32, total SimpleAggregateFunction(sum, UInt64)) ENGINE = AggregatingMergeTree ORDER BY day",
		"CREATE MATERIALIZED VIEW to_sums TO sums AS SELECT toDate32(at) AS day, sum(n) AS total FROM source GROUP BY day",
		"INSERT INTO source VALUES (1, '2025-01-01 10:00:00'), (2, '2025-01-01 11:00:00')", "INSERT INTO source VALUES (4, '2025-01-01 10:00:00')")
	if got := scalar[uint64](t, conn, "SELECT sum(total) FROM sums"); got != 7 {
		t.Errorf("got %d", got)
	}
	run(t, conn, "CREATE MATERIALIZED VIEW refreshed REFRESH EVERY 1 HOUR ENGINE = MergeTree ORDER BY n AS SELECT max(n) AS n FROM source",
		"SYSTEM REFRESH VIEW refreshed", "SYSTEM WAIT VIEW refreshed")
	if got := scalar[uint64](t, conn, "SELECT n FROM refreshed"); got != 4 {
		t.Errorf("refreshed: %d", got)
	}
	run(t, conn, "CREATE VIEW plain DEFINER = CURRENT_USER SQL SECURITY DEFINER COMMENT 'what it shows' AS SELECT max(n) AS n FROM source")
	if got := scalar[uint64](t, conn, "SELECT n FROM plain"); got != 4 {
		t.Errorf("view: %d", got)
	}
}

func TestIndexesAndProjections(t *testing.T) {
	conn := database(t)
	run(t, conn, `CREATE TABLE t (n UInt64, s String, x UInt32 CODEC(Delta, ZSTD),
			INDEX by_s s TYPE bloom_filter GRANULARITY 1, INDEX by_x x TYPE minmax GRANULARITY 1,
			PROJECTION totals (SELECT s, sum(n) GROUP BY s)
		) ENGINE = MergeTree ORDER BY n PARTITION BY n % 2 TTL toDateTime('2100-01-01 00:00:00') + n SETTINGS index_granularity = 128`,
		"INSERT INTO t SELECT number, toString(number), number FROM numbers(10000)")
	if got := scalar[uint64](t, conn, "SELECT n FROM t WHERE s = '777' SETTINGS force_data_skipping_indices = 'by_s'"); got != 777 {
		t.Errorf("got %d", got)
	}
	if got := scalar[uint64](t, conn, "SELECT sum(n) FROM t WHERE s = '777' GROUP BY s SETTINGS force_optimize_projection = 1"); got != 777 {
		t.Errorf("got %d", got)
	}
	run(t, conn, "CREATE TABLE u AS t", "ALTER TABLE u REPLACE PARTITION 1 FROM t")
	if got := scalar[uint64](t, conn, "SELECT count() FROM u"); got != 5000 {
		t.Errorf("got %d", got)
	}
}

func TestDictionaries(t *testing.T) {
	conn := database(t)
	run(t, conn, "CREATE TABLE areas (code String, quintile UInt8) ENGINE = MergeTree ORDER BY code", "INSERT INTO areas VALUES ('E01', 1), ('E02', 5)",
		`CREATE DICTIONARY by_area (code String, quintile UInt8 DEFAULT 0) PRIMARY KEY code
			SOURCE(CLICKHOUSE(TABLE 'areas' DB 'testdictionaries')) LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)`)
	if got := scalar[uint8](t, conn, "SELECT dictGet('by_area', 'quintile', 'E02')"); got != 5 {
		t.Errorf("got %d", got)
	}
	run(t, conn, "INSERT INTO areas VALUES ('E03', 3)", "SYSTEM RELOAD DICTIONARY by_area")
	if got := scalar[uint8](t, conn, "SELECT dictGet('testdictionaries.by_area', 'quintile', 'E03')"); got != 3 {
		t.Errorf("got %d", got)
	}
}

func TestDeleteAndMutations(t *testing.T) {
	conn := database(t)
	run(t, conn, "CREATE TABLE t (n UInt64, s String) ENGINE = MergeTree ORDER BY n", "INSERT INTO t SELECT number, 'a' FROM numbers(100)",
		"DELETE FROM t WHERE n < 10", "ALTER TABLE t UPDATE s = 'b' WHERE n >= 50 SETTINGS mutations_sync = 1",
		"ALTER TABLE t ADD COLUMN x UInt8 DEFAULT 7 AFTER n, COMMENT COLUMN x 'a number'", "ALTER TABLE t DELETE WHERE n >= 90 SETTINGS mutations_sync = 2")
	if got := scalar[uint64](t, conn, "SELECT sum(x) FROM t"); got != 80*7 {
		t.Errorf("got %d", got)
	}
	if got := scalar[uint64](t, conn, "SELECT countIf(s = 'b') FROM t"); got != 40 {
		t.Errorf("got %d", got)
	}
	run(t, conn, "TRUNCATE TABLE t")
}

func TestRepeatedInsertIsDropped(t *testing.T) {
	conn := database(t)
	run(t, conn, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100, fsync_after_insert = 1")
	for _, test := range []struct {
		token string
		want  uint64
	}{{"a", 1}, {"a", 1}, {"b", 2}} {
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": test.token, "insert_deduplicate": 1}))
		if err := insertOne(ctx, t, conn); err != nil {
			t.Fatal(err)
		}
		if got := scalar[uint64](t, conn, "SELECT count() FROM t"); got != test.want {
			t.Errorf("token %s: %d rows", test.token, got)
		}
	}
	// Asynchronous inserts are taken, whether or not the engine makes them so; waited for, the row is there.
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"async_insert": 1, "wait_for_async_insert": 1}))
	if err := insertOne(ctx, t, conn); err != nil {
		t.Fatal(err)
	}
	if got := scalar[uint64](t, conn, "SELECT count() FROM t"); got != 3 {
		t.Errorf("async: %d rows", got)
	}
	if err := conn.Exec(clickhouse.Context(t.Context(), clickhouse.WithAsync(true)), "INSERT INTO t VALUES (9)"); err != nil {
		t.Fatal(err)
	}
	if got := scalar[uint64](t, conn, "SELECT count() FROM t"); got != 4 {
		t.Errorf("WithAsync: %d rows", got)
	}
}

func insertOne(ctx context.Context, t *testing.T, conn clickhouse.Conn) error {
	t.Helper()
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO t")
	if err != nil {
		return err
	}
	if err := batch.Append(uint64(1)); err != nil {
		return err
	}
	return batch.Send()
}

func TestDroppedTables(t *testing.T) {
	dir := t.TempDir()
	process := enginetest.Open(t, dir)
	conn := databaseAt(t, process.URL())
	create := "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n"
	run(t, conn, create, "INSERT INTO t VALUES (1)", "DROP TABLE t SYNC", create, "DROP TABLE t SYNC",
		"CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n", "INSERT INTO kept VALUES (1)",
		"CREATE DATABASE other ENGINE = Atomic", "CREATE TABLE other.t (n UInt64) ENGINE = MergeTree ORDER BY n", "DROP DATABASE other SYNC",
		"CREATE DATABASE other ENGINE = Atomic", "DROP DATABASE other")
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"database_atomic_wait_for_drop_and_detach_synchronously": 1}))
	if err := conn.Exec(ctx, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(ctx, "DROP TABLE t"); err != nil {
		t.Fatal(err)
	}
	// Their files stay until the next start.
	marks := func() int {
		entries, err := os.ReadDir(filepath.Join(dir, "metadata_dropped"))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	if n := marks(); n != 4 {
		t.Errorf("%d tables marked as dropped", n)
	}
	process.Kill()
	if err := process.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := marks(); n != 0 {
		t.Errorf("%d tables still marked as dropped", n)
	}
	if got := scalar[uint64](t, conn, "SELECT sum(n) FROM kept"); got != 1 {
		t.Errorf("got %d", got)
	}
	stores, err := filepath.Glob(filepath.Join(dir, "store", "*", "*", "format_version.txt"))
	if err != nil || len(stores) != 1 {
		t.Errorf("tables on disk: %v, %v", stores, err)
	}
}

func TestTooManyPartitions(t *testing.T) {
	conn := database(t)
	run(t, conn, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n PARTITION BY n")
	err := conn.Exec(t.Context(), "INSERT INTO t SELECT number FROM numbers(101)")
	if exception := new(clickhouse.Exception); !asException(err, &exception) || exception.Code != 252 {
		t.Errorf("got %v", err)
	}
}

func TestQueriesOfManyKinds(t *testing.T) {
	conn := database(t)
	run(t, conn, "CREATE TABLE shown (n UInt8 COMMENT 'it''s') ENGINE = Memory")
	for query, want := range map[string]string{
		"WITH 2 AS x SELECT toString(x)":                                            "2",
		"SELECT toString(1) UNION ALL SELECT toString(1)":                           "1",
		"SELECT toString(row_number() OVER (ORDER BY number DESC)) FROM numbers(1)": "1",
		"EXPLAIN SYNTAX SELECT 1":                                                   "SELECT 1",
		"SHOW CREATE TABLE shown":                                                   "CREATE TABLE testqueriesofmanykinds.shown\n(\n    `n` UInt8 COMMENT 'it\\'s'\n)\nENGINE = Memory",
		"SELECT formatDateTime(toDateTime('2025-03-30 01:30:00', 'UTC'), '%H:%i', 'Europe/London') FORMAT Native":     "02:30",
		"SELECT toString(quantileExact(0.5)(number)) FROM numbers(11)":                                                "5",
		"SELECT v FROM values('v String', 'it''s') WHERE v LIKE 'it%'":                                                "it's",
		"SELECT toString(count()) FROM (SELECT number % 3 AS g FROM numbers(9) GROUP BY g WITH TOTALS) FORMAT Native": "3",
	} {
		if got := scalar[string](t, conn, query); got != want {
			t.Errorf("%s: %q", query, got)
		}
	}
	if err := conn.Exec(t.Context(), "CREATE FUNCTION IF NOT EXISTS twice AS (x) -> x * 2"); err != nil {
		t.Error(err)
	}
	if got := scalar[uint16](t, conn, "SELECT twice(21)"); got != 42 {
		t.Errorf("got %d", got)
	}
	// Time zones are the driver's business as on a server: a column without one comes in the server's.
	at := scalar[time.Time](t, conn, "SELECT toDateTime('2025-07-01 12:00:00', 'Europe/London')")
	if fmt.Sprint(at.UTC()) != "2025-07-01 11:00:00 +0000 UTC" {
		t.Errorf("got %s", at)
	}
}
