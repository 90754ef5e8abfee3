// Package aggregate is the aggregator service: the roll-up of events into counts, the keeper of what follows from them,
// the announcer of verdicts, the heartbeat, and the removal of what is over its retention, on connections of their own.
package aggregate

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/announce"
	"gapwatch/services/internal/gap"
	"gapwatch/services/internal/heartbeat"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reporting"
	"gapwatch/services/internal/retention"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/telemetry"
)

// Settings are the aggregator's part of the environment.
type Settings struct {
	settings.Service
	settings.NATS
	settings.Streams
	settings.ClickHouse
	settings.Programmes
	Rollup
	Gap
	Source string `envconfig:"GAPWATCH_EVENT_SOURCE"` // URI of this deployment, the source of its verdicts
}

// The settings of the two parts, under names by which they can stand side by side.
type (
	// Rollup is the roll-up's.
	Rollup = rollup.Settings
	// Gap is the keeper's.
	Gap = gap.Settings
)

// service is what all parts of the aggregator use.
type service struct {
	programmes *programme.Set
	log        *slog.Logger
	conn       driver.Conn
	telemetry  *telemetry.Telemetry
	aggregator *rollup.Aggregator
}

// open sets up what does not need a server yet. Errors are of the settings: stop.
func open(s Settings) (_ *service, err error) {
	a := &service{telemetry: telemetry.New()}
	config, err := s.Rollup.Config()
	if err != nil {
		return nil, err
	}
	if a.programmes, err = programme.Load(s.ProgrammeFile); err != nil {
		return nil, err
	}
	if a.log, err = s.Logger(os.Stderr); err != nil {
		return nil, err
	}
	if a.conn, err = store.Open(s.Address()); err != nil {
		return nil, err
	}
	config.ClickHouse, config.Programmes, config.Log, config.Registry = a.conn, a.programmes, a.log, a.telemetry.Registry
	a.aggregator, err = rollup.New(config)
	return a, err
}

// Run publishes counts and verdicts until ctx ends. An error is for stopping.
func Run(ctx context.Context, s Settings) error {
	config, err := s.Gap.Config()
	if err != nil {
		return err
	}
	a, err := open(s)
	if err != nil {
		return err
	}
	defer a.conn.Close() //nolint:errcheck // nothing was left unwritten
	config.ClickHouse, config.Programmes, config.Log, config.Registry = a.conn, a.programmes, a.log, a.telemetry.Registry
	config.Prepare = func(ctx context.Context) error {
		return reporting.WriteProgrammes(ctx, a.conn, a.programmes, time.Now())
	}
	keeper, err := gap.New(config)
	if err != nil {
		return err
	}
	keeping, err := retention.New(retention.Config{ClickHouse: a.conn, Programmes: a.programmes, Log: a.log, Registry: a.telemetry.Registry})
	if err != nil {
		return err
	}
	nc, js, err := stream.Connect(s.NATS.Connect("aggregator", a.log))
	if err != nil {
		return err
	}
	defer nc.Close()
	announcer, err := announce.New(announce.Config{ClickHouse: a.conn, JetStream: js, Streams: s.Streams.Options(), Source: s.Source,
		Log: a.log, Registry: a.telemetry.Registry})
	if err != nil {
		return err
	}
	heart, err := heartbeat.New(heartbeat.Config{ClickHouse: a.conn, JetStream: js, Programmes: a.programmes, UpTo: keeper.UpTo, Log: a.log, Registry: a.telemetry.Registry})
	if err != nil {
		return err
	}
	if err := store.MigrateWhenThere(ctx, s.Address(), a.log); err != nil {
		return err
	}
	defer a.telemetry.Ready("aggregator", a.conn.Ping)()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.telemetry.Serve(ctx, s.MetricsListen) })
	group.Go(func() error { return a.aggregator.Run(ctx) })
	group.Go(func() error { return keeper.Run(ctx) })
	group.Go(func() error { return keeping.Run(ctx) })
	group.Go(func() error { return announcer.Run(ctx) })
	group.Go(func() error { return heart.Run(ctx) })
	return group.Wait()
}

// Audit compares everything stored with a full recompute. The error says how much differs, or what could not be read.
func Audit(ctx context.Context, s Settings) error {
	a, err := open(s)
	if err != nil {
		return err
	}
	defer a.conn.Close() //nolint:errcheck // nothing was left unwritten
	if err := store.MigrateWhenThere(ctx, s.Address(), a.log); err != nil {
		return err
	}
	result, err := a.aggregator.Audit(ctx)
	if err == nil && result.Mismatches > 0 {
		err = fmt.Errorf("%d of %d cells differ from a full recompute; they are counted afresh", result.Mismatches, result.Compared)
	}
	return err
}
