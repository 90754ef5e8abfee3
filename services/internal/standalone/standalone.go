// Package standalone runs all of Gapwatch on one machine: NATS inside the process, the ClickHouse engine in a second one
// that it starts and restarts, and the services in this one. They are the packages that the separate services run, with
// the same drivers; the only difference is who starts the servers. Everything listens on loopback.
package standalone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/gap"
	"gapwatch/services/internal/intake"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/provision"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/telemetry"
)

// Config says where everything is. Fields without a default must be set.
type Config struct {
	Folder     string         // keeps everything; made if missing. One process at a time may use it
	Programmes *programme.Set // what is watched
	Logger     *slog.Logger   // nil for silence

	// Library is the path of libchdb ([engine.Locate] finds it). Not needed with a ClickHouseURL.
	Library string
	// ClickHouseURL is a ClickHouse server to use instead of the embedded engine; empty for the engine.
	ClickHouseURL string

	// Before is asked with ClickHouse before anything is written to it; its error ends the start. nil for no question.
	Before func(context.Context, driver.Conn) error

	// host:port on loopback, port 0 for any free one.
	NATSListen, ClickHouseListen, MetricsListen string

	// SyncAlways makes NATS write each event to disk before it confirms it. Without it a power cut, not a killed
	// process, may lose what was confirmed in the last two minutes; with it some thousand events a second are taken.
	SyncAlways bool

	Streams    stream.Options
	Collector  collect.Config // settings only; what it needs besides is filled in
	Aggregator rollup.Config  // settings only
	Gap        gap.Config     // settings only
	Source     string         // URI of this deployment, the source of the verdicts that it publishes; empty for urn:gapwatch

	// Intake is the door for senders; without a Listen (host:port on loopback) there is none. Keys and a sender that it does not
	// name are made in the folder once.
	Intake       intake.Access
	IntakeTuning intake.Tuning

	// Provisioner gives the settings of a Grafana to keep, for the address of ClickHouse; nil for no Grafana.
	Provisioner func(clickHouse string) (provision.Config, error)

	EngineCommand []string  // program of the engine's process, which calls engine.MaybeChild first; nil for this one
	EngineStderr  io.Writer // what the engine says; nil for standard error
}

// System is a running Gapwatch.
type System struct {
	NATSURL, ClickHouseURL, MetricsURL string
	IntakeURL                          string // empty without a door

	// Connections of whoever works with the system; they are closed when it stops.
	NATS       *nats.Conn
	JetStream  jetstream.JetStream
	ClickHouse driver.Conn

	Telemetry *telemetry.Telemetry
	Engine    *engine.Process // nil with a ClickHouse of one's own
}

// Run starts everything, then work, and stops everything when work returns, a part fails or ctx ends: first work, then
// intake with the requests in hand, the collector with the batches in hand, the aggregator, NATS and the engine. A nil work waits for ctx to end.
//
// It goes on where an earlier run in the folder ended, however that ended. The error is the first failure, by name of
// the part, or what work returned; nil after ctx ended and everything stopped cleanly. Every error means stop.
func Run(ctx context.Context, c Config, work func(context.Context, *System) error) error {
	if err := c.check(); err != nil {
		return err
	}
	unlock, err := lockFolder(c.Folder)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	l := &lifecycle{fail: fail}
	s, err := start(ctx, l, c)
	if err == nil && work == nil {
		<-ctx.Done()
	} else if err == nil {
		err = work(ctx, s)
	}
	var failure error // of a part: then work's error only follows from it
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		failure, err = cause, nil
	}
	fail(nil)
	stopped := l.stop()
	if failure != nil {
		return failure
	}
	return errors.Join(err, stopped)
}

func (c *Config) check() error {
	if c.Folder == "" || c.Programmes == nil {
		return errors.New("standalone: Folder and Programmes must be set")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	addresses := []struct {
		variable, address string
	}{{"GAPWATCH_NATS_LISTEN", c.NATSListen}, {"GAPWATCH_METRICS_LISTEN", c.MetricsListen}}
	if c.ClickHouseURL == "" {
		addresses = append(addresses, struct{ variable, address string }{"GAPWATCH_CLICKHOUSE_LISTEN", c.ClickHouseListen})
	}
	if c.Intake.Listen != "" {
		addresses = append(addresses, struct{ variable, address string }{"GAPWATCH_INTAKE_LISTEN", c.Intake.Listen})
	}
	var errs []error
	for _, a := range addresses {
		errs = append(errs, free(a.variable, a.address))
	}
	return errors.Join(errs...)
}

// free tells whether an address can be listened on, before anything is started, naming what sets it.
func free(variable, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s is %q, not host:port", variable, address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s is %q: standalone listens on loopback only (127.0.0.1, [::1] or localhost), since nothing of it asks for a password", variable, address)
	}
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: another program listens on %s: end it, or set %s to another address, such as 127.0.0.1:0 for any free port", variable, address, variable)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	return listener.Close()
}

// lockFolder keeps a second process out. The system frees the lock when its holder dies.
func lockFolder(folder string) (unlock func(), err error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("standalone: %w", err)
	}
	path := filepath.Join(folder, "lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("standalone: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another Gapwatch is running on the folder %s: end it, or set GAPWATCH_DATA to another folder", folder)
		}
		return nil, fmt.Errorf("standalone: lock %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil
}
