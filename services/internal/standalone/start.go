package standalone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/announce"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/gap"
	"gapwatch/services/internal/heartbeat"
	"gapwatch/services/internal/reporting"
	"gapwatch/services/internal/retention"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/telemetry"
)

// start starts the parts, each after what it uses.
func start(ctx context.Context, l *lifecycle, c Config) (*System, error) {
	s := &System{Telemetry: telemetry.New(), ClickHouseURL: c.ClickHouseURL}
	for _, step := range []func(context.Context, *lifecycle, *Config) error{
		s.startEngine, s.startNATS, s.startTelemetry, s.prepare, s.startAggregator, s.startGap, s.startCollector, s.connect, s.startIntake, s.startProvisioner,
	} {
		if err := step(ctx, l, &c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *System) startEngine(ctx context.Context, l *lifecycle, c *Config) error {
	if s.ClickHouseURL != "" {
		return nil
	}
	process, err := engine.Start(ctx, engine.Options{
		DataDir: filepath.Join(c.Folder, "clickhouse"), LibPath: c.Library, Listen: c.ClickHouseListen,
		Command: c.EngineCommand, Stderr: c.EngineStderr, Logger: c.Logger,
	})
	if err != nil {
		return err
	}
	s.Engine, s.ClickHouseURL = process, process.URL()
	l.stopWith("engine", func() error {
		process.Stop()
		return nil
	})
	s.Telemetry.Ready("engine", process.Ready)
	return nil
}

func (s *System) startNATS(ctx context.Context, l *lifecycle, c *Config) error {
	host, port, err := net.SplitHostPort(c.NATSListen)
	if err != nil {
		return named("NATS", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return named("NATS", err)
	}
	server, err := stream.Embed(ctx, stream.EmbedOptions{
		Dir: filepath.Join(c.Folder, "nats"), Host: host, Port: number, SyncAlways: c.SyncAlways, Logger: c.Logger,
	})
	if err != nil {
		return err
	}
	s.NATSURL = server.URL()
	l.stopWith("NATS", func() error {
		server.Stop()
		return nil
	})
	return nil
}

func (s *System) startTelemetry(_ context.Context, l *lifecycle, c *Config) error {
	listener, err := net.Listen("tcp", c.MetricsListen)
	if err != nil {
		return named("GAPWATCH_METRICS_LISTEN", err)
	}
	s.MetricsURL = "http://" + listener.Addr().String()
	l.run("telemetry", func(ctx context.Context) error { return s.Telemetry.ServeListener(ctx, listener) })
	return nil
}

func (s *System) prepare(ctx context.Context, l *lifecycle, c *Config) error {
	if c.Before != nil {
		conn, err := s.openClickHouse(l)
		if err != nil {
			return err
		}
		if err := c.Before(ctx, conn); err != nil {
			return err
		}
	}
	return named("migrations", store.MigrateWhenThere(ctx, s.ClickHouseURL, c.Logger))
}

func (s *System) startAggregator(_ context.Context, l *lifecycle, c *Config) error {
	config := c.Aggregator
	config.Programmes, config.Registry = c.Programmes, s.Telemetry.Registry
	config.Log = c.Logger.With("part", "aggregator")
	conn, err := s.openClickHouse(l)
	if err != nil {
		return err
	}
	config.ClickHouse = conn
	aggregator, err := rollup.New(config)
	if err != nil {
		return named("aggregator", err)
	}
	s.Telemetry.Ready("aggregator", conn.Ping)
	l.run("aggregator", aggregator.Run)
	return nil
}

// startGap starts what follows from counts: measures, verdicts, saying them, and saying how all of it goes.
func (s *System) startGap(_ context.Context, l *lifecycle, c *Config) error {
	config := c.Gap
	config.Programmes, config.Registry = c.Programmes, s.Telemetry.Registry
	config.Log = c.Logger.With("part", "gap")
	var err error
	if config.ClickHouse, err = s.openClickHouse(l); err != nil {
		return err
	}
	config.Prepare = func(ctx context.Context) error {
		return reporting.WriteProgrammes(ctx, config.ClickHouse, c.Programmes, time.Now())
	}
	keeper, err := gap.New(config)
	if err != nil {
		return named("gap", err)
	}
	l.run("gap", keeper.Run)
	announcing := announce.Config{ClickHouse: config.ClickHouse, Streams: c.Streams, Source: c.Source, Registry: config.Registry, Log: config.Log}
	if _, announcing.JetStream, err = s.openNATS(l, c, "announcer"); err != nil {
		return err
	}
	announcer, err := announce.New(announcing)
	if err != nil {
		return named("announcer", err)
	}
	l.run("announcer", announcer.Run)
	heart, err := heartbeat.New(heartbeat.Config{ClickHouse: config.ClickHouse, JetStream: announcing.JetStream, Programmes: c.Programmes, UpTo: keeper.UpTo,
		Log: config.Log, Registry: config.Registry})
	if err != nil {
		return err
	}
	l.run("heartbeat", heart.Run)
	keeping, err := retention.New(retention.Config{ClickHouse: config.ClickHouse, Programmes: c.Programmes, Log: config.Log, Registry: config.Registry})
	if err != nil {
		return err
	}
	l.run("retention", keeping.Run)
	return nil
}

func (s *System) startCollector(_ context.Context, l *lifecycle, c *Config) error {
	config := c.Collector
	config.Programmes, config.Telemetry, config.Streams = c.Programmes, s.Telemetry, c.Streams
	config.Logger = c.Logger.With("part", "collector")
	var err error
	if config.ClickHouse, err = s.openClickHouse(l); err != nil {
		return err
	}
	if _, config.JetStream, err = s.openNATS(l, c, "collector"); err != nil {
		return err
	}
	collector, err := collect.New(config)
	if err != nil {
		return err
	}
	l.run("collector", collector.Run)
	return nil
}

// connect makes the connections of whoever works with the system. The streams are there when it returns, that of rejections
// unless it cannot be made.
func (s *System) connect(ctx context.Context, l *lifecycle, c *Config) error {
	var err error
	if s.ClickHouse, err = s.openClickHouse(l); err != nil {
		return err
	}
	if s.NATS, s.JetStream, err = s.openNATS(l, c, "standalone"); err != nil {
		return err
	}
	return ensure(ctx, s.JetStream, c)
}

// ensure makes sure of the streams, however slowly NATS answers: a disk that is busy at start is no fault. One of rejections
// that cannot be made right is no reason to take no events; the collector says it.
func ensure(ctx context.Context, js jetstream.JetStream, c *Config) error {
	wait := backoff.NewExponentialBackOff()
	wait.MaxInterval = 10 * time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := stream.Ensure(ctx, js, c.Streams)
		switch {
		case stream.OnlyRejections(err):
			err = nil
		case errors.Is(err, stream.ErrStream):
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, next time.Duration) {
		c.Logger.Warn("the streams are not there yet, will try again", "in", next, "error", err)
	}))
	return err
}

func (s *System) openClickHouse(l *lifecycle) (driver.Conn, error) {
	conn, err := store.Open(s.ClickHouseURL)
	if err != nil {
		return nil, err
	}
	l.stopWith("connection to ClickHouse", conn.Close)
	return conn, nil
}

func (s *System) openNATS(l *lifecycle, c *Config, name string) (*nats.Conn, jetstream.JetStream, error) {
	nc, js, err := stream.Connect(stream.ConnectOptions{URL: s.NATSURL, Name: name, Logger: c.Logger})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	l.stopWith("connection to NATS", func() error {
		nc.Close()
		return nil
	})
	return nc, js, nil
}
