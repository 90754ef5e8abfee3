package bench

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/store"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

func cpu() float64 { // CPU seconds of this process and its children so far, children read live
	total := 0.0
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	self := os.Getpid()
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(data))
		pid, _ := strconv.Atoi(fields[0])
		ppid, _ := strconv.Atoi(fields[3])
		if pid == self || ppid == self {
			u, _ := strconv.Atoi(fields[13])
			s, _ := strconv.Atoi(fields[14])
			total += float64(u+s) / 100
		}
	}
	return total
}

func TestProto(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("N"))
	dir := "/work/scratch/season"
	_ = os.MkdirAll(dir, 0o755)
	p := enginetest.Open(t, dir)
	ctx := context.Background()
	if err := store.Migrate(ctx, p.URL()); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	set, _ := programme.Load("")
	var have uint64
	_ = conn.QueryRow(ctx, "SELECT count() FROM prevention.events").Scan(&have)
	if have == 0 {
		started := time.Now()
		if err := country(ctx, conn); err != nil {
			t.Fatal(err)
		}
		if err := Season(ctx, conn, set, n, func(done int) {
			if done%1_000_000 == 0 {
				t.Log(done, time.Since(started))
			}
		}); err != nil {
			t.Fatal(err)
		}
		t.Log("filled in", time.Since(started))
	}
	var parts uint64
	_ = conn.QueryRow(ctx, "SELECT count() FROM system.parts WHERE table = 'events' AND active").Scan(&parts)
	t.Log("parts", parts)
	for range 2 {
		started, c := time.Now(), cpu()
		var people uint64
		if err := conn.QueryRow(ctx, "SELECT uniqExact(person) FROM prevention.events FINAL WHERE programme = 'flu-65' AND season = '2024-25'").Scan(&people); err != nil {
			t.Fatal(err)
		}
		t.Log("uniqExact FINAL", people, time.Since(started), "cpu", cpu()-c)
	}
	_ = conn.Exec(ctx, "TRUNCATE TABLE prevention.published")
	_ = conn.Exec(ctx, "TRUNCATE TABLE prevention.uptake_cells")
	a, err := rollup.New(rollup.Config{ClickHouse: conn, Programmes: set, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	started, c := time.Now(), cpu()
	r, err := a.Tick(clickhouse.Context(ctx))
	t.Log("rollup", r, err, time.Since(started), "cpu", cpu()-c)
}
