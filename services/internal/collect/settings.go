package collect

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/telemetry"
)

// Settings is a collector's part of the environment. [Config] says what each one means.
type Settings struct {
	settings.NATS
	settings.Streams
	settings.ClickHouse
	settings.Programmes
	Tuning
}

// Tuning is the part of the settings that is about the collector itself, and not about where its servers are.
type Tuning struct {
	Batch         int           `envconfig:"GAPWATCH_COLLECTOR_BATCH" default:"20000"`
	MaxAge        time.Duration `envconfig:"GAPWATCH_COLLECTOR_MAX_AGE" default:"500ms"`
	Collectors    int           `envconfig:"GAPWATCH_COLLECTOR_COLLECTORS" default:"1"`
	InsertTimeout time.Duration `envconfig:"GAPWATCH_COLLECTOR_INSERT_TIMEOUT" default:"15s"`
	FlushTimeout  time.Duration `envconfig:"GAPWATCH_COLLECTOR_FLUSH_TIMEOUT" default:"5s"`
	StopTimeout   time.Duration `envconfig:"GAPWATCH_COLLECTOR_STOP_TIMEOUT" default:"10s"`
}

// Config is the part of a configuration that the settings say.
func (t Tuning) Config() Config {
	return Config{Batch: t.Batch, MaxAge: t.MaxAge, Collectors: t.Collectors,
		InsertTimeout: t.InsertTimeout, FlushTimeout: t.FlushTimeout, StopTimeout: t.StopTimeout}
}

// Connect makes a collector with connections of its own, which it brings the tables up to date with when it runs.
// closeAll closes them; call it after Run. Errors are of the settings: stop.
func Connect(s Settings, tel *telemetry.Telemetry, logger *slog.Logger) (c *Collector, closeAll func(), err error) {
	programmes, err := programme.Load(s.ProgrammeFile)
	if err != nil {
		return nil, nil, err
	}
	conn, err := store.Open(s.Address())
	if err != nil {
		return nil, nil, err
	}
	nc, js, err := stream.Connect(s.NATS.Connect("collector", logger))
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	closeAll = func() {
		nc.Close()
		if err := conn.Close(); err != nil {
			logger.Warn("close ClickHouse", "error", err)
		}
	}
	config := s.Tuning.Config()
	config.JetStream, config.ClickHouse, config.Programmes, config.Telemetry, config.Logger = js, conn, programmes, tel, logger
	config.Streams = s.Streams.Options()
	config.Prepare = func(ctx context.Context) error { return store.Migrate(ctx, s.Address()) }
	c, err = New(config)
	if err != nil {
		closeAll()
		return nil, nil, fmt.Errorf("set up the collector: %w", err)
	}
	return c, closeAll, nil
}
