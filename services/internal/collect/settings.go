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
	Batch         int           `envconfig:"GAPWATCH_COLLECTOR_BATCH" default:"20000"`
	MaxAge        time.Duration `envconfig:"GAPWATCH_COLLECTOR_MAX_AGE" default:"500ms"`
	Collectors    int           `envconfig:"GAPWATCH_COLLECTOR_COLLECTORS" default:"1"`
	InsertTimeout time.Duration `envconfig:"GAPWATCH_COLLECTOR_INSERT_TIMEOUT" default:"15s"`
	FlushTimeout  time.Duration `envconfig:"GAPWATCH_COLLECTOR_FLUSH_TIMEOUT" default:"5s"`
	StopTimeout   time.Duration `envconfig:"GAPWATCH_COLLECTOR_STOP_TIMEOUT" default:"10s"`
}

// Connect makes a collector with connections of its own, which it brings the tables up to date with when it runs.
// closeAll closes them; call it after Run. Errors are of the settings: stop.
func Connect(s Settings, tel *telemetry.Telemetry, logger *slog.Logger) (c *Collector, closeAll func(), err error) {
	programmes, err := programme.Load(s.ProgrammeFile)
	if err != nil {
		return nil, nil, err
	}
	conn, err := store.Open(s.ClickHouseURL)
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
	c, err = New(Config{
		JetStream: js, ClickHouse: conn, Programmes: programmes, Telemetry: tel, Logger: logger, Streams: s.Streams.Options(),
		Prepare: func(ctx context.Context) error { return store.Migrate(ctx, s.ClickHouseURL) },
		Batch:   s.Batch, MaxAge: s.MaxAge, Collectors: s.Collectors,
		InsertTimeout: s.InsertTimeout, FlushTimeout: s.FlushTimeout, StopTimeout: s.StopTimeout,
	})
	if err != nil {
		closeAll()
		return nil, nil, fmt.Errorf("set up the collector: %w", err)
	}
	return c, closeAll, nil
}
