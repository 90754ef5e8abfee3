package reference_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/reference"
	"gapwatch/services/internal/store"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// open is a connection to an empty, migrated store of the test's own.
func open(t testing.TB) driver.Conn {
	t.Helper()
	return connect(t, enginetest.New(t).URL())
}

func connect(t testing.TB, address string) driver.Conn {
	t.Helper()
	if err := store.Migrate(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// generation is the newest load that changes a programme's counts, by the query that the roll-up asks.
func generation(t testing.TB, conn driver.Conn, programme string) uint32 {
	t.Helper()
	query, err := os.ReadFile("../rollup/queries/generations.sql")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), string(query))
	if err != nil {
		t.Fatal(err)
	}
	var newest uint32
	for rows.Next() {
		var of string
		var load uint32
		if err := rows.Scan(&of, &load); err != nil {
			t.Fatal(err)
		}
		if of == "" || of == programme {
			newest = max(newest, load)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return newest
}

func TestProgrammeFileIsRecordedOnce(t *testing.T) {
	conn := open(t)
	if g := generation(t, conn, "flu-65"); g != 0 {
		t.Fatalf("an empty store has generation %d, want 0", g)
	}
	for i, step := range []struct {
		sha  string
		want uint32
	}{{"aa", 1}, {"aa", 1}, {"bb", 2}, {"aa", 3}} {
		got, err := reference.RegisterProgrammes(t.Context(), conn, step.sha)
		if err != nil {
			t.Fatal(err)
		}
		if got != step.want || generation(t, conn, "flu-65") != step.want {
			t.Errorf("step %d: load %d, generation %d, want %d", i, got, generation(t, conn, "flu-65"), step.want)
		}
	}
}

func TestRepairIsNewerForItsProgrammeOnly(t *testing.T) {
	conn := open(t)
	if _, err := reference.RegisterRepair(t.Context(), conn, "flu-65"); err != nil {
		t.Fatal(err)
	}
	if g := generation(t, conn, "flu-65"); g != 1 {
		t.Errorf("generation %d after a repair, want 1", g)
	}
	if g := generation(t, conn, "flu-6"); g != 0 {
		t.Errorf("generation %d of another programme, want 0", g)
	}
}

// Every number is given once however many take one at the same time.
func TestNoTwoLoadsHaveOneNumber(t *testing.T) {
	conn := open(t)
	const workers, each = 4, 6
	var mu sync.Mutex
	var got []uint32
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				load, err := reference.RegisterRepair(context.Background(), conn, fmt.Sprintf("p%d-%d", w, i))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				got = append(got, load)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(got)
	for i, load := range got {
		if load != uint32(i)+1 {
			t.Fatalf("loads were numbered %v, want 1 to %d, each once", got, workers*each)
		}
	}
	if len(got) != workers*each {
		t.Fatalf("%d loads were made, want %d", len(got), workers*each)
	}
}
