package standalone

import (
	"cmp"
	"context"
	"errors"
	"io"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/gap"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/provision"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/store"
)

// Settings are what environment variables say about a standalone Gapwatch.
type Settings struct {
	settings.Service
	settings.Programmes
	settings.Streams
	collect.Tuning
	AggregatorSettings
	GapSettings
	ProvisionerSettings
	IntakeAccess
	IntakeTuning
	Source           string `envconfig:"GAPWATCH_EVENT_SOURCE"`
	Data             string `envconfig:"GAPWATCH_DATA"` // folder; each command has its own default
	NATSListen       string `envconfig:"GAPWATCH_NATS_LISTEN" default:"127.0.0.1:4222" required:"true"`
	NATSSyncAlways   bool   `envconfig:"GAPWATCH_NATS_SYNC_ALWAYS" default:"true"`
	ClickHouseListen string `envconfig:"GAPWATCH_CLICKHOUSE_LISTEN" default:"127.0.0.1:8123" required:"true"`
	ClickHouseURL    string `envconfig:"GAPWATCH_CLICKHOUSE_URL"` // a server to use instead of the engine; empty for the engine
	ClickHouseCA     string `envconfig:"GAPWATCH_CLICKHOUSE_CA"`
}

// AggregatorSettings is rollup.Settings under a name by which it can be embedded beside other settings.
type AggregatorSettings = rollup.Settings

// GapSettings is gap.Settings under a name by which it can be embedded beside other settings.
type GapSettings = gap.Settings

// ProvisionerSettings is provision.Settings under a name by which it can be embedded beside other settings.
type ProvisionerSettings = provision.Settings

// Config is the configuration that the settings say, with logs written to logs. An error names the variable: stop at start.
func (s Settings) Config(logs io.Writer) (c Config, err error) {
	c = Config{
		Folder: s.Data, ClickHouseURL: store.WithCA(s.ClickHouseURL, s.ClickHouseCA), SyncAlways: s.NATSSyncAlways,
		NATSListen: s.NATSListen, ClickHouseListen: s.ClickHouseListen, MetricsListen: s.MetricsListen,
		EngineStderr: logs, Streams: s.Streams.Options(), Source: s.Source, Collector: s.Tuning.Config(),
		Intake: s.IntakeAccess, IntakeTuning: s.IntakeTuning,
	}
	if c.Programmes, err = programme.Load(s.ProgrammeFile); err != nil {
		return c, err
	}
	if c.Logger, err = s.Logger(logs); err != nil {
		return c, err
	}
	var errs [3]error
	c.Aggregator, errs[0] = s.AggregatorSettings.Config()
	c.Gap, errs[1] = s.GapSettings.Config()
	if s.GrafanaURL != "" {
		c.Provisioner = s.ProvisionerSettings.Wanted
		_, errs[2] = c.Provisioner(cmp.Or(s.ClickHouseURL, "http://"+s.ClickHouseListen)) // so that what is wrong shows before anything starts
	}
	return c, errors.Join(errs[:]...)
}

// FetchEngine makes sure of the ClickHouse engine, which is fetched once for all, and says so on progress. With a
// ClickHouse of one's own there is nothing to fetch.
func (c *Config) FetchEngine(ctx context.Context, progress io.Writer) (err error) {
	if c.ClickHouseURL == "" {
		c.Library, err = engine.Locate(ctx, "", engine.PrintProgress(progress))
	}
	return err
}

// Serve runs a standalone Gapwatch as the settings say until ctx ends.
func Serve(ctx context.Context, s Settings, logs io.Writer) error {
	if s.Data == "" {
		s.Data = "demo-data"
	}
	c, err := s.Config(logs)
	if err != nil {
		return err
	}
	if err := c.FetchEngine(ctx, logs); err != nil {
		return err
	}
	return Run(ctx, c, func(ctx context.Context, system *System) error {
		c.Logger.Info("Gapwatch is ready", "nats", system.NATSURL, "clickhouse", store.Redacted(system.ClickHouseURL), "metrics", system.MetricsURL, "intake", system.IntakeURL, "data", c.Folder)
		<-ctx.Done()
		return nil
	})
}
