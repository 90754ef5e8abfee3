package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"gapwatch/services/internal/engine/enginetest"
)

// TestMixedLoad runs all that can happen to a query side by side, again and again: the engine must neither crash nor be
// left with a query that nobody waits for.
func TestMixedLoad(t *testing.T) {
	process := enginetest.New(t)
	conn := databaseAt(t, process.URL(), func(o *clickhouse.Options) { o.MaxOpenConns = 50 })
	run(t, conn, "CREATE TABLE t (n UInt64, s String) ENGINE = MergeTree ORDER BY n",
		"INSERT INTO t SELECT number, toString(number) FROM numbers(300000)")
	const workers, rounds = 12, 12
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for round := range rounds {
				if err := oneOf(t, conn, worker+round, round); err != nil {
					t.Errorf("kind %d: %v", (worker+round)%6, err)
				}
			}
		})
	}
	group.Wait()
	waitForNoQuery(t, conn, "%")
	if got := scalar[uint64](t, conn, "SELECT count() FROM t"); got != 300_000+workers*rounds/6*1000 {
		t.Errorf("%d rows", got)
	}
	if process.Starts() != 1 {
		t.Errorf("started %d times", process.Starts())
	}
}

func oneOf(t *testing.T, conn clickhouse.Conn, kind, round int) error {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	switch kind % 6 {
	case 0: // given up after a while that differs each time
		ctx, cancel := context.WithTimeout(ctx, time.Duration(round*7)*time.Millisecond)
		defer cancel()
		if conn.Exec(ctx, "SELECT count() FROM numbers(100000000000) WHERE NOT ignore(sipHash64(number))") == nil {
			return fmt.Errorf("it came to an end")
		}
		return nil
	case 1: // left in the middle of its result
		rows, err := conn.Query(ctx, "SELECT n, s FROM t")
		if err != nil {
			return err
		}
		for range round * 20_000 {
			rows.Next()
		}
		cancel()
		for rows.Next() {
		}
		return nil
	case 2:
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO t")
		if err != nil {
			return err
		}
		for i := range 1000 {
			if err := batch.Append(uint64(i), "x"); err != nil {
				return err
			}
		}
		return batch.Send()
	case 3: // fails after its first blocks
		err := conn.Exec(ctx, "SELECT throwIf(number = 200000) FROM numbers(300000)")
		if err != nil && !strings.Contains(err.Error(), "395") {
			return err
		}
		return nil
	case 4: // fails at once
		if conn.Exec(ctx, "SELECT * FROM nowhere") == nil {
			return fmt.Errorf("no error")
		}
		return nil
	default:
		rows, err := conn.Query(ctx, "SELECT n, s FROM t ORDER BY n LIMIT 100000")
		if err != nil {
			return err
		}
		read := 0
		for rows.Next() {
			read++
		}
		if read != 100_000 {
			return fmt.Errorf("read %d rows: %w", read, rows.Err())
		}
		return rows.Err()
	}
}
