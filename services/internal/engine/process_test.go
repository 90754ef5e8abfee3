package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/engine/enginetest"
)

// The test binary is also what its tests run as processes of their own, told apart by this variable.
const envRole = "ENGINE_TEST_ROLE"

func TestMain(m *testing.M) {
	// The engine's child inherits the role of its parent, so that comes second.
	engine.MaybeChild()
	switch os.Getenv(envRole) {
	case "panics":
		exit(engine.SurvivePanics(os.Args[1], os.Args[2]))
	case "parent":
		process, err := engine.Start(context.Background(), engine.Options{LibPath: os.Args[1], DataDir: os.Args[2]})
		if err != nil {
			exit(err)
		}
		fmt.Println(process.Addr())
		select {} // until killed
	}
	enginetest.Main(m)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// role prepares the test binary to run in one of its roles.
func role(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), envRole+"="+name)
	return cmd
}

func library(t *testing.T) string {
	t.Helper()
	path, err := enginetest.Library()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPanicsStayRecoverable(t *testing.T) {
	if output, err := role(t, "panics", library(t), t.TempDir()).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
}

func TestKillDuringInsertsLeavesWholeInserts(t *testing.T) {
	const rows = 20_000
	dir := t.TempDir()
	process := enginetest.Open(t, dir)
	conn := databaseAt(t, process.URL())
	run(t, conn, "CREATE TABLE t (batch UInt32, n UInt32, s String) ENGINE = MergeTree ORDER BY (batch, n)")

	var next uint32
	done := map[uint32]bool{}
	failed := 0
	const kills = 6
	for kill := range kills {
		started := make(chan struct{})
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			<-started
			process.Kill()
		}()
		for sent, alive := 0, true; alive; sent++ {
			select {
			case <-killed:
				alive = false // one more: it meets the engine's start
			default:
			}
			next++
			id := next
			if sent == kill%3+1 {
				close(started) // the kill comes while this insert, or the next, is under way
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			batch, err := conn.PrepareBatch(ctx, "INSERT INTO t")
			if err == nil {
				ids, numbers, texts := make([]uint32, rows), make([]uint32, rows), make([]string, rows)
				for i := range rows {
					ids[i], numbers[i], texts[i] = id, uint32(i), strings.Repeat("x", 100)
				}
				_ = batch.Column(0).Append(ids)
				_ = batch.Column(1).Append(numbers)
				_ = batch.Column(2).Append(texts)
				err = batch.Send()
			}
			cancel()
			if err != nil {
				failed++
				break
			}
			done[id] = true
		}
		<-killed
		if err := process.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if starts := process.Starts(); starts != kills+1 {
		t.Errorf("started %d times", starts)
	}
	acknowledged := len(done)
	// The folder opens again in another process, too.
	process.Stop()
	conn = open(t, func() *clickhouse.Options {
		o := options(t, enginetest.Open(t, dir).URL())
		o.Auth.Database = "testkillduringinsertsleaveswholeinserts"
		return o
	}())
	result, err := conn.Query(t.Context(), "SELECT batch, count(), uniqExact(n) FROM t GROUP BY batch")
	if err != nil {
		t.Fatal(err)
	}
	for result.Next() {
		var batch uint32
		var count, distinct uint64
		if err := result.Scan(&batch, &count, &distinct); err != nil {
			t.Fatal(err)
		}
		if count != rows || distinct != rows {
			t.Errorf("batch %d has %d rows, %d distinct", batch, count, distinct)
		}
		delete(done, batch)
	}
	if err := result.Err(); err != nil {
		t.Fatal(err)
	}
	if len(done) > 0 {
		t.Errorf("%d acknowledged inserts are lost", len(done))
	}
	t.Logf("%d kills, %d inserts acknowledged, %d failed", kills, acknowledged, failed)
	if failed == 0 {
		t.Error("no kill met an insert")
	}
}

func TestSupervisorRestarts(t *testing.T) {
	process := enginetest.New(t)
	addr := process.Addr()
	conn := databaseAt(t, process.URL())
	run(t, conn, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n", "INSERT INTO t VALUES (1)")
	// A query under way fails, the next one waits for the new engine on the same address.
	failed := make(chan error, 1)
	go func() { failed <- conn.Exec(t.Context(), "SELECT count() FROM numbers(100000000000)") }()
	waitForQuery(t, conn, "SELECT count() FROM numbers(100000000000)%")
	process.Kill()
	if err := <-failed; err == nil {
		t.Error("the query outlived its engine")
	}
	if err := process.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if process.Addr() != addr || process.Starts() != 2 {
		t.Errorf("at %s after %d starts", process.Addr(), process.Starts())
	}
	if got := scalar[uint64](t, conn, "SELECT count() FROM t"); got != 1 {
		t.Errorf("%d rows", got)
	}
	process.Stop()
	process.Stop()
	if c, err := net.Dial("tcp", addr); err == nil {
		_ = c.Close()
		t.Error("still listening after Stop")
	}
	if err := process.Ready(t.Context()); err == nil {
		t.Error("ready after Stop")
	}
}

func TestStopWaitsForQueries(t *testing.T) {
	process := enginetest.New(t)
	conn := open(t, options(t, process.URL()))
	ended := make(chan error, 1)
	go func() {
		ended <- conn.Exec(t.Context(), "SELECT sleepEachRow(0.2) FROM numbers(5) SETTINGS max_block_size = 1")
	}()
	waitForQuery(t, conn, "SELECT sleepEachRow%")
	process.Stop()
	if err := <-ended; err != nil {
		t.Errorf("the query was cut off: %v", err)
	}
}

func TestStopEndsQueriesThatDoNot(t *testing.T) {
	t.Parallel()
	var stderr lockedBuffer
	process, err := engine.Start(t.Context(), engine.Options{LibPath: library(t), DataDir: t.TempDir(), Stderr: &stderr})
	if err != nil {
		t.Fatal(err)
	}
	conn := open(t, options(t, process.URL()))
	ended := make(chan error, 1)
	go func() {
		ended <- conn.Exec(t.Context(), "SELECT count() FROM numbers(100000000000) WHERE NOT ignore(sipHash64(number))")
	}()
	waitForQuery(t, conn, "SELECT count() FROM numbers(100000000000)%")
	// And one whose client does not read.
	response, err := http.Post(process.URL()+"/", "", strings.NewReader("SELECT * FROM system.numbers"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	process.Stop()
	if err := <-ended; err == nil {
		t.Error("no error")
	}
	if text := stderr.String(); strings.Contains(text, "did not stop") || strings.Contains(text, "signal") {
		t.Errorf("the stop was not clean: %s", text)
	}
}

func TestStartFails(t *testing.T) {
	dir := t.TempDir()
	var quiet lockedBuffer
	_, err := engine.Start(t.Context(), engine.Options{LibPath: "/no/such/libchdb.so", DataDir: dir, Stderr: &quiet})
	if err == nil || !strings.Contains(err.Error(), "/no/such/libchdb.so") {
		t.Errorf("no library: %v", err)
	}
	process := enginetest.Open(t, dir)
	_, err = engine.Start(t.Context(), engine.Options{LibPath: library(t), DataDir: dir, Stderr: &quiet})
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("folder in use: %v", err)
	}
	if _, err = engine.Start(t.Context(), engine.Options{LibPath: library(t), DataDir: t.TempDir(), Listen: process.Addr()}); err == nil {
		t.Error("address in use: no error")
	}
	if _, err = engine.Start(t.Context(), engine.Options{LibPath: library(t), DataDir: dir, Command: []string{"/no/such/program"}}); err == nil {
		t.Error("no program: no error")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = engine.Start(gone, engine.Options{LibPath: library(t), DataDir: t.TempDir(), Stderr: &quiet}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got := scalar[uint8](t, open(t, options(t, process.URL())), "SELECT 1"); got != 1 {
		t.Error("the first engine suffered")
	}
}

func TestEngineDiesWithItsParent(t *testing.T) {
	cmd := role(t, "parent", library(t), t.TempDir())
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr = strings.TrimSpace(addr)
	if err := open(t, &clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{addr}}).Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = c.Close()
		if time.Now().After(deadline) {
			t.Fatal("the engine outlived its parent")
		}
	}
}

func TestBodyLimit(t *testing.T) {
	// A child takes the default limit of 1 GiB, so the body is only announced.
	params := url.Values{"query": {"INSERT INTO FUNCTION null('a String') FORMAT TSV"}}
	request, err := http.NewRequest(http.MethodPost, enginetest.URL(t)+"/?"+params.Encode(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", request.URL.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", request.URL.RequestURI(), 2<<30)
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if code := response.Header.Get("X-ClickHouse-Exception-Code"); response.StatusCode != http.StatusRequestEntityTooLarge || code != "307" {
		t.Errorf("%s, code %s", response.Status, code)
	}
}
