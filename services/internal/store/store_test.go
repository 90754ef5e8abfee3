package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"golang.org/x/sync/errgroup"

	"gapwatch/schemas"
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

// TestAnUpgradedStoreIsAFreshOne takes a store of the release before (0005) to now: its views are those of a fresh store, and
// what new tables are filled from by inserts is there for what came in before.
func TestAnUpgradedStoreIsAFreshOne(t *testing.T) {
	ctx := context.Background()
	fresh, old := open(t, enginetest.New(t).URL()), enginetest.New(t).URL()
	upgraded := open(t, old)
	if err := store.Migrate(ctx, fresh.url); err != nil {
		t.Fatal(err)
	}
	migrateTo(t, old, 5)
	for _, query := range []string{
		`INSERT INTO prevention.events (programme, person, stream, sequence, provider, received) SELECT 'flu', generateUUIDv4(), 1, number, 'SYN01', now64(3) - INTERVAL number HOUR FROM numbers(30)`,
		`INSERT INTO prevention.handled (stream, sequence, outcome, handled_at) SELECT 1, number, if(number % 10 = 0, 'dead letter', 'stored'), now64(3) - INTERVAL 3 HOUR FROM numbers(30)`,
		`INSERT INTO prevention.programmes (programme, ceiling) VALUES ('flu', 0.2)`,
		`INSERT INTO prevention.published (programme, season, place, id, base) VALUES ('flu', '2024-25', 'P', 7, 5)`,
		`INSERT INTO prevention.uptake_cells (programme, season, place, level, code, quintile, day, id, newly, moved_out) VALUES
			('flu', '2024-25', 'P', 'pcn', 'C', 1, '2024-10-31', 4, 9, 0), ('flu', '2024-25', 'P', 'pcn', 'C', 1, '2024-10-30', 5, 1, 2),
			('flu', '2024-25', 'P', 'pcn', 'C', 1, '2024-10-31', 5, 3, 0), ('flu', '2024-25', 'P', 'pcn', 'C', 1, '2024-11-01', 5, 4, 0),
			('flu', '2024-25', 'P', 'pcn', 'C', 1, '2024-10-31', 7, 6, 0), ('flu', '2024-25', 'P', 'pcn', 'C', 1, '2024-11-01', 9, 7, 0)`,
	} {
		upgraded.exec(query)
	}
	for range 2 { // cut off before it was noted, a migration is made again
		if err := store.Migrate(ctx, old); err != nil {
			t.Fatal(err)
		}
		upgraded.exec("DELETE FROM prevention.schema_versions WHERE version_id > 5")
	}
	const made = `SELECT arrayStringConcat(arraySort(groupArray(concat(database, '.', name, ' ', replaceRegexpAll(create_table_query, 'UUID \'[^\']*\'', '')))), '\n') FROM system.tables WHERE database IN ('prevention', 'reporting')`
	if want, got := fresh.text(made), upgraded.text(made); got != want {
		t.Errorf("the upgraded store has\n%s\nwant\n%s", got, want)
	}
	for query, want := range map[string]string{
		`SELECT concat(provider, ' ', toString(quiet_hours), ' ', toString(pauses), ' ', toString(usual_pause_hours)) FROM reporting.providers`:                              "SYN01 0 29 1",
		`SELECT arrayStringConcat(groupArray(concat(reason, ' ', toString(letters))), ',') FROM reporting.dead_letters`:                                                      "not recorded 3",
		`SELECT concat(toString(ceiling), ' ', toString(behind)) FROM reporting.programmes`:                                                                                  "0.2 0.05",
		`SELECT arrayStringConcat(arraySort(groupArray(concat(toString(day), ' ', code, ' ', toString(newly), ' ', toString(moved_out)))), ', ') FROM prevention.uptake_now`: "2024-10-30 C 1 2, 2024-10-31 C 6 0, 2024-11-01 C 4 0",
	} {
		if got := upgraded.text(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

// opened is a connection that a test asks.
type opened struct {
	t    *testing.T
	url  string
	conn driver.Conn
}

func open(t *testing.T, url string) opened {
	t.Helper()
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return opened{t, url, conn}
}

func (o opened) exec(query string) {
	o.t.Helper()
	if err := o.conn.Exec(context.Background(), query); err != nil {
		o.t.Fatalf("%s: %v", query, err)
	}
}

func (o opened) text(query string) (text string) {
	o.t.Helper()
	if err := o.conn.QueryRow(context.Background(), query).Scan(&text); err != nil {
		o.t.Fatalf("%s: %v", query, err)
	}
	return text
}

// migrateTo makes a store as the release with that migration did.
func migrateTo(t *testing.T, url string, version int64) {
	t.Helper()
	options, err := store.Options(url)
	if err != nil {
		t.Fatal(err)
	}
	db := clickhouse.OpenDB(options)
	defer db.Close() //nolint:errcheck // nothing was left unwritten
	for _, name := range []string{"prevention", "reporting"} {
		if _, err := db.Exec("CREATE DATABASE " + name + " ENGINE = Atomic"); err != nil {
			t.Fatal(err)
		}
	}
	migrations, err := fs.Sub(schemas.Files, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	versions, err := database.NewStore(goose.DialectClickHouse, "prevention.schema_versions")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider("", db, migrations, goose.WithStore(versions), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
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
