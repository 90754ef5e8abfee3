package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Config says what Run serves. The zero value of a field marked optional stands for its default.
type Config struct {
	// Listen is the address to serve on, e.g. 127.0.0.1:8123; port 0 takes a free one. Keep it on loopback: there is
	// no password. Not used when Listener is set.
	Listen string
	// Listener is an open listener to serve on; optional. Run closes it.
	Listener net.Listener
	// DataDir is the folder of the data, made if missing. One process owns it at a time.
	DataDir string
	// LibPath is the path of libchdb; Locate finds it.
	LibPath string
	// MaxQueries is how many queries run side by side; further ones wait. Optional: 64.
	MaxQueries int
	// MaxBody is the largest request body in bytes, compressed and not; a larger one is refused with code 307.
	// An insert's body is held in memory until it is in. Optional: 1 GiB.
	MaxBody int64
	// StopWait is how long running queries may go on after ctx has ended, before they are cancelled. Optional: 5 s.
	StopWait time.Duration
	// Ready is called with the address once queries are answered; optional.
	Ready func(addr string)
	// Logger is optional: none.
	Logger *slog.Logger
}

// Validate checks the configuration and fills in defaults. An error means stop.
func (c *Config) Validate() error {
	switch {
	case c.Listen == "" && c.Listener == nil:
		return errors.New("engine: no address to listen on")
	case c.DataDir == "":
		return errors.New("engine: no data folder")
	case c.LibPath == "":
		return errors.New("engine: no path of libchdb")
	case c.MaxQueries < 0, c.MaxBody < 0, c.StopWait < 0:
		return errors.New("engine: MaxQueries, MaxBody and StopWait cannot be negative")
	}
	if c.MaxQueries == 0 {
		c.MaxQueries = 64
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 30
	}
	if c.StopWait == 0 {
		c.StopWait = 5 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Run serves until ctx ends and returns nil then; any error means stop. It can be called once in a process, because the
// library does not open a second folder. When queries do not end within StopWait and a moment more, Run returns an
// error with the folder still open; the process must then exit at once, which loses nothing that was acknowledged.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	listener := cfg.Listener
	if listener == nil {
		if listener, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen); err != nil {
			return fmt.Errorf("engine: %w", err)
		}
	}
	defer func() { _ = listener.Close() }() // the server closes it, too, once it serves
	lib, err := loadLibrary(cfg.LibPath)
	if err != nil {
		return err
	}
	if err := purgeDropped(dir); err != nil {
		return err
	}
	config := filepath.Join(dir, "engine.xml")
	if err := os.WriteFile(config, []byte(engineConfig), 0o600); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	store, err := openStore(lib, cfg.MaxQueries, "--path="+dir, "--config-file="+config)
	if err != nil {
		return err
	}
	zone, err := store.zone()
	if err != nil {
		return errors.Join(err, store.close(ctx))
	}
	host, _ := os.Hostname()

	queries, cancelQueries := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelQueries()
	server := &http.Server{
		Handler:           &handler{store: store, log: cfg.Logger, maxBody: cfg.MaxBody, zone: zone, name: host},
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return queries },
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	cfg.Logger.Info("engine ready", "address", listener.Addr().String(), "data", dir)
	if cfg.Ready != nil {
		cfg.Ready(listener.Addr().String())
	}

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-served:
	}
	if failure != nil {
		failure = fmt.Errorf("engine: serve: %w", failure)
	}
	return errors.Join(failure, shutdown(server, store, cancelQueries, cfg.StopWait))
}

// engineConfig undoes what the library does unlike a server. Parts that were merged into a larger one stay for eight
// minutes, not none: the larger one is on disk by then, so that a power cut does not lose inserts that were synced.
const engineConfig = `<clickhouse>
	<merge_tree><old_parts_lifetime>480</old_parts_lifetime></merge_tree>
</clickhouse>
`

// cancelWait is how long cancelled queries get to end.
const cancelWait = 5 * time.Second

// shutdown lets queries end by themselves for a while, then cancels them, and closes the store.
func shutdown(server *http.Server, store *store, cancelQueries func(), wait time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		cancelQueries()
		_ = server.Close() // also ends handlers whose client does not read
	}
	ctx, cancel = context.WithTimeout(context.Background(), cancelWait)
	defer cancel()
	if err := store.close(ctx); err != nil {
		return fmt.Errorf("engine: queries did not stop: %w", err)
	}
	return nil
}

// zone is the time zone of columns that name none.
func (s *store) zone() (*time.Location, error) {
	name, err := s.keeper.exec("SELECT timezone()", "TSVRaw")
	if err != nil {
		return nil, fmt.Errorf("engine: first query: %w", err)
	}
	zone, err := time.LoadLocation(strings.TrimSpace(string(name)))
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return zone, nil
}
