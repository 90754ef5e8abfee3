package engine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	lock "gapwatch/deploy/engine"
)

// ErrNoEngine says that there is no engine for this platform, or no npm to fetch it with. It means stop; the message
// names what else can be done.
var ErrNoEngine = errors.New("no embedded ClickHouse engine here")

// ErrChecksum says that what was fetched is not what engine.lock.json pins. Nothing of it is kept. It means stop.
var ErrChecksum = errors.New("checksum mismatch")

const alternatives = "use the Compose set-up (docker compose up), point GAPWATCH_CLICKHOUSE_URL at a ClickHouse server, or set CHDB_LIB_PATH to a libchdb of your own"

// Locate returns the path of libchdb: CHDB_LIB_PATH if that is set, else the copy in cacheDir, else it is fetched into
// cacheDir with npm (160 MB, once; unpacked 560 MB). An empty cacheDir stands for gapwatch in the user's cache folder.
// progress, if not nil, is called about four times a second during the fetch with the bytes so far and in all. Several
// processes may call it at once: one fetches, the others wait. Errors: ErrNoEngine and ErrChecksum mean stop, others
// (npm failed, disk full) may pass on another try.
func Locate(ctx context.Context, cacheDir string, progress func(done, total int64)) (string, error) {
	if path := os.Getenv(envLib); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("engine: %s: %w", envLib, err)
		}
		return filepath.Abs(path)
	}
	pin, err := lock.ReadLock()
	if err != nil {
		return "", fmt.Errorf("engine: %w", err)
	}
	pkg, err := pinned(pin, runtime.GOOS+"/"+runtime.GOARCH)
	if err != nil {
		return "", err
	}
	if cacheDir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("engine: %w", err)
		}
		cacheDir = filepath.Join(user, "gapwatch")
	}
	return locate(ctx, filepath.Join(cacheDir, "chdb-"+pin.Version), pkg.Name+"@"+pin.Version, pkg, progress)
}

func pinned(pin lock.Lock, platform string) (lock.Package, error) {
	pkg, ok := pin.Packages[platform]
	if !ok {
		return pkg, fmt.Errorf("engine: %w: no package is pinned for %s; %s", ErrNoEngine, platform, alternatives)
	}
	return pkg, nil
}

// locate does it for one package; spec is what npm knows it by.
func locate(ctx context.Context, dir, spec string, pkg lock.Package, progress func(done, total int64)) (string, error) {
	path := filepath.Join(dir, filepath.Base(pkg.File))
	if complete(path, pkg) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("engine: %w", err)
	}
	unlock, err := lockDir(ctx, dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	if complete(path, pkg) { // another process fetched it while this one waited
		return path, nil
	}
	// What a killed process left: no other is at work while this one holds the lock.
	left, _ := filepath.Glob(filepath.Join(dir, "fetch-*"))
	for _, folder := range left {
		_ = os.RemoveAll(folder)
	}
	work, err := os.MkdirTemp(dir, "fetch-*")
	if err != nil {
		return "", fmt.Errorf("engine: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	archive, err := npmPack(ctx, work, spec, pkg.Size, progress)
	if err != nil {
		return "", err
	}
	if err := verify(archive, pkg.Integrity); err != nil {
		return "", err
	}
	if err := unpack(archive, pkg, path); err != nil {
		return "", err
	}
	return path, nil
}

// complete: the file gets its name only when it is whole, so its size is check enough.
func complete(path string, pkg lock.Package) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == pkg.FileSize
}

// lockDir makes processes take turns. The system frees the lock when its holder dies.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			file.Close()
			return nil, fmt.Errorf("engine: lock %s: %w", dir, err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("engine: waiting for another process to fetch the engine: %w", ctx.Err())
		}
	}
}

// npmPack fetches an archive into dir with the npm client as the user has set it up, and returns its path.
func npmPack(ctx context.Context, dir, spec string, size int64, progress func(done, total int64)) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("engine: %w: npm is needed to fetch it: %w; install npm, or %s", ErrNoEngine, err, alternatives)
	}
	// A cache of its own: its growth is the progress, and the archive does not stay in the user's cache as well.
	cache := filepath.Join(dir, "cache")
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--cache", cache, "--pack-destination", dir, spec)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	stop := watchSize(cache, size, progress)
	err = cmd.Run()
	stop()
	if err != nil {
		return "", fmt.Errorf("engine: npm pack %s: %w: %s", spec, err, bytes.TrimSpace(output.Bytes()))
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return "", fmt.Errorf("engine: npm pack %s left %d archives", spec, len(archives))
	}
	return archives[0], nil
}

// watchSize reports how much lies in a folder until stop is called, which returns after the last report.
func watchSize(dir string, total int64, progress func(done, total int64)) (stop func()) {
	if progress == nil {
		return func() {}
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(250 * time.Millisecond)
		defer ticker.Stop()
		for {
			progress(min(folderSize(dir), total), total)
			select {
			case <-quit:
				return
			case <-ticker.C:
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

func folderSize(dir string) int64 {
	var size int64
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil // files come and go while npm works
	})
	return size
}

// verify compares an archive with npm's integrity string.
func verify(archive, integrity string) error {
	file, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	defer file.Close()
	sum := sha512.New()
	if _, err := io.Copy(sum, file); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum.Sum(nil)); got != integrity {
		return fmt.Errorf("engine: %w: %s has %s, engine.lock.json pins %s", ErrChecksum, filepath.Base(archive), got, integrity)
	}
	return nil
}

// unpack takes the library out of the archive. It gets its name only when it is whole and on disk.
func unpack(archive string, pkg lock.Package, path string) error {
	file, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("engine: unpack: %w", err)
	}
	for entries := tar.NewReader(plain); ; {
		entry, err := entries.Next()
		if err != nil {
			return fmt.Errorf("engine: unpack %s: %w", pkg.File, err)
		}
		if entry.Name == pkg.File {
			return keep(entries, filepath.Dir(archive), path)
		}
	}
}

func keep(from io.Reader, dir, path string) error {
	temp, err := os.CreateTemp(dir, "lib-*")
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	defer temp.Close()
	if _, err := io.Copy(temp, from); err != nil {
		return fmt.Errorf("engine: unpack: %w", err)
	}
	if err := errors.Join(temp.Chmod(0o755), temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("engine: unpack: %w", err)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}

// PrintProgress is a progress function for Locate that writes a line to out at the start and about every two seconds.
func PrintProgress(out io.Writer) func(done, total int64) {
	var last time.Time
	return func(done, total int64) {
		if time.Since(last) < 2*time.Second {
			return
		}
		last = time.Now()
		fmt.Fprintf(out, "fetching the ClickHouse engine: %d of %d MB\n", done>>20, total>>20)
	}
}
