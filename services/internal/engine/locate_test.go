package engine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	lock "gapwatch/deploy/engine"
)

// archive writes an npm package with a small "library", which the real npm then packs from the file.
func archive(t *testing.T) (spec string, pkg lock.Package) {
	t.Helper()
	library := bytes.Repeat([]byte("library "), 1000)
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	files := tar.NewWriter(compressed)
	for _, file := range []struct {
		name string
		data []byte
	}{
		{"package/package.json", []byte(`{"name": "engine-test", "version": "1.0.0"}`)},
		{"package/other.so", []byte("not this one")},
		{"package/libchdb.so", library},
	} {
		if err := files.WriteHeader(&tar.Header{Name: file.name, Mode: 0o644, Size: int64(len(file.data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Write(file.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(files.Close(), compressed.Close()); err != nil {
		t.Fatal(err)
	}
	spec = filepath.Join(t.TempDir(), "engine-test-1.0.0.tgz")
	if err := os.WriteFile(spec, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(out.Bytes())
	return spec, lock.Package{
		Name: "engine-test", Integrity: "sha512-" + base64.StdEncoding.EncodeToString(sum[:]), Size: int64(out.Len()),
		File: "package/libchdb.so", FileSize: int64(len(library)),
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return strings.Join(all, " ")
}

func TestLocateFetchesOnce(t *testing.T) {
	spec, pkg := archive(t)
	dir := filepath.Join(t.TempDir(), "cache")
	// A fetch that was killed left this behind.
	if err := os.MkdirAll(filepath.Join(dir, "fetch-old"), 0o755); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	reports := 0
	for range 3 {
		group.Go(func() {
			path, err := locate(t.Context(), dir, spec, pkg, func(done, total int64) {
				mu.Lock()
				defer mu.Unlock()
				reports++
				if done > total || total != pkg.Size {
					t.Errorf("progress %d of %d", done, total)
				}
			})
			if err != nil {
				t.Error(err)
			} else if info, err := os.Stat(path); err != nil || info.Size() != pkg.FileSize {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
	group.Wait()
	if got := names(t, dir); got != "libchdb.so lock" {
		t.Errorf("left behind: %s", got)
	}
	if reports == 0 {
		t.Error("no progress reported")
	}
	// From now on the cached copy does, whatever the spec.
	if _, err := locate(t.Context(), dir, "/no/such/archive.tgz", pkg, nil); err != nil {
		t.Error(err)
	}
	// A file of another size is not the library.
	if err := os.WriteFile(filepath.Join(dir, "libchdb.so"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := locate(t.Context(), dir, spec, pkg, nil); err != nil {
		t.Error(err)
	}
}

func TestLocateRefusesAnotherChecksum(t *testing.T) {
	spec, pkg := archive(t)
	_, other := archive(t)
	other.Integrity = strings.Replace(pkg.Integrity, pkg.Integrity[10:14], "AAAA", 1)
	dir := t.TempDir()
	_, err := locate(t.Context(), dir, spec, other, nil)
	if !errors.Is(err, ErrChecksum) {
		t.Errorf("got %v", err)
	}
	if got := names(t, dir); got != "lock" {
		t.Errorf("kept: %s", got)
	}
}

func TestLocateFailures(t *testing.T) {
	_, pkg := archive(t)
	if _, err := locate(t.Context(), t.TempDir(), "/no/such/archive.tgz", pkg, nil); err == nil || errors.Is(err, ErrChecksum) {
		t.Errorf("missing archive: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := locate(gone, t.TempDir(), "/no/such/archive.tgz", pkg, nil); err == nil {
		t.Error("no error though cancelled")
	}
	pin, err := lock.ReadLock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = pinned(pin, "plan9/mips")
	if !errors.Is(err, ErrNoEngine) {
		t.Errorf("got %v", err)
	}
	for _, way := range []string{"docker compose", "GAPWATCH_CLICKHOUSE_URL", "CHDB_LIB_PATH"} {
		if !strings.Contains(err.Error(), way) {
			t.Errorf("%v does not name %s", err, way)
		}
	}
	spec, pkg := archive(t)
	t.Setenv("PATH", t.TempDir())
	if _, err := locate(t.Context(), t.TempDir(), spec, pkg, nil); !errors.Is(err, ErrNoEngine) || !strings.Contains(err.Error(), "npm") {
		t.Errorf("no npm: %v", err)
	}
	t.Setenv(envLib, "/no/such/library.so")
	if _, err := Locate(t.Context(), "", nil); err == nil || !strings.Contains(err.Error(), envLib) {
		t.Errorf("got %v", err)
	}
}

func TestLockIsWhole(t *testing.T) {
	pin, err := lock.ReadLock()
	if err != nil {
		t.Fatal(err)
	}
	if pin.Version == "" || len(pin.Packages) == 0 {
		t.Errorf("%+v", pin)
	}
	for platform, pkg := range pin.Packages {
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(pkg.Integrity, "sha512-"))
		if err != nil || len(sum) != sha512.Size || pkg.Name == "" || pkg.Size == 0 || pkg.File == "" || pkg.FileSize == 0 {
			t.Errorf("%s: %+v", platform, pkg)
		}
	}
	if _, err := pinned(pin, "linux/amd64"); err != nil {
		t.Error(err)
	}
}
