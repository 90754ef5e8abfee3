package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/store"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// TestMigrateByManyAtOnceAndAgain starts several services on an empty ClickHouse.
func TestMigrateByManyAtOnceAndAgain(t *testing.T) {
	url := enginetest.New(t).URL()
	ctx := context.Background()
	var group errgroup.Group
	for range 4 {
		group.Go(func() error { return store.Migrate(ctx, url) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Exec(ctx, "INSERT INTO prevention.handled (stream, sequence, outcome) VALUES (1, 1, 'stored')"); err != nil {
		t.Fatal(err)
	}
	if err := store.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	var rows, unsynced, uncommented uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM prevention.handled").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows after migrating again, want the 1 that was there (%v)", rows, err)
	}
	// Nothing may outlive what it speaks of when the power goes: every table is on disk before the next is written.
	if err := conn.QueryRow(ctx, `SELECT count() FROM system.tables WHERE database = 'prevention' AND create_table_query NOT LIKE '%fsync_after_insert = 1%'
		AND engine LIKE '%MergeTree' AND name != 'schema_versions'`).Scan(&unsynced); err != nil || unsynced != 0 {
		t.Errorf("%d tables are not written to disk at once (%v)", unsynced, err)
	}
	// Grafana users read the columns' comments: what is kept per person must say so.
	if err := conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = 'prevention' AND name IN ('events', 'records', 'links') AND comment NOT LIKE '%Person-level%'").Scan(&uncommented); err != nil || uncommented != 0 {
		t.Errorf("%d person-level tables do not say so (%v)", uncommented, err)
	}
}

func TestAddressesThatAreRefusedSayWhyAndNotThePassword(t *testing.T) {
	for address, rule := range map[string]string{
		"clickhouse://u:s3cret@host:9000": "not http or https",
		"http://u:s3cret@host:port":       "ClickHouse address",
		"http://u:s3cret@ho st":           "ClickHouse address",
		"":                                "not http or https",
	} {
		_, err := store.Options(address)
		if err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("%q: %v, want %q", address, err, rule)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the error tells the password: %v", address, err)
		}
	}
}

func TestJudge(t *testing.T) {
	exception := func(code int32) error { return fmt.Errorf("insert: %w", &clickhouse.Exception{Code: code}) }
	for _, c := range []struct {
		err  error
		want store.Verdict
	}{
		{&clickhouse.Exception{Code: 252, Message: "Too many partitions for single INSERT block (more than 100)."}, store.Reject},
		// An overloaded server must not turn good events into dead letters.
		{&clickhouse.Exception{Code: 252, Message: "Too many parts (3000 with average size of 1.00 KiB) in table 'prevention.events'. Merges are processing significantly slower than inserts"}, store.Retry},
		{&clickhouse.Exception{Code: 252, Message: "Too many parts (100001) in all partitions in total in table 'prevention.events'."}, store.Retry},
		{exception(469), store.Reject}, // violated constraint
		{exception(33), store.Retry},   // the insert was cut off on its way
		{exception(60), store.Stop},    // no such table
		{exception(516), store.Stop},   // wrong password
		{exception(241), store.Retry},  // memory limit
		{exception(243), store.Retry},  // no space left
		{exception(999_999), store.Retry},
		{fmt.Errorf("post: %w", io.ErrUnexpectedEOF), store.Retry},
		{context.DeadlineExceeded, store.Retry},
		{errors.New("anything else"), store.Retry},
	} {
		if got := store.Judge(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}
