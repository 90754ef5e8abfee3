// Package enginetest gives tests a real ClickHouse engine. A test package that uses it has
//
//	func TestMain(m *testing.M) { enginetest.Main(m) }
package enginetest

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"gapwatch/services/internal/engine"
)

var shared struct {
	once    sync.Once
	process *engine.Process
	dir     string
	err     error
}

// Main runs the tests and then stops the shared engine. It must be all that TestMain does before it exits.
func Main(m *testing.M) {
	engine.MaybeChild()
	code := m.Run()
	if shared.process != nil {
		shared.process.Stop()
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// URL is the address, e.g. http://127.0.0.1:40123, of an engine that all tests of the test binary share; it is started at
// the first call. Tests keep apart by making databases of their own.
func URL(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "gapwatch-engine-*"); shared.err != nil {
			return
		}
		shared.process, shared.err = start(shared.dir)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.process.URL()
}

// New is an engine for one test, with a folder of its own, which the test may kill. It is stopped at the test's end.
func New(t testing.TB) *engine.Process {
	t.Helper()
	return Open(t, t.TempDir())
}

// Open is New on a folder that the test names, such as one that an earlier engine left behind.
func Open(t testing.TB, dir string) *engine.Process {
	t.Helper()
	process, err := start(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Stop)
	return process
}

// Library is the path of libchdb, fetched if need be.
func Library() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	return engine.Locate(ctx, "", engine.PrintProgress(os.Stderr))
}

func start(dir string) (*engine.Process, error) {
	path, err := Library()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return engine.Start(ctx, engine.Options{DataDir: dir, LibPath: path})
}
