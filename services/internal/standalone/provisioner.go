package standalone

import (
	"context"

	"gapwatch/services/internal/provision"
	"gapwatch/services/internal/store"
)

// startProvisioner keeps a Grafana as Gapwatch wants it, where one is set. A Grafana that is away or refuses us stops
// nothing else: it is logged, and shown by /readyz.
func (s *System) startProvisioner(_ context.Context, l *lifecycle, c *Config) error {
	if c.Provisioner == nil {
		return nil
	}
	config, err := c.Provisioner(store.WithoutCA(s.ClickHouseURL))
	if err != nil {
		return err
	}
	config.Log, config.Registry = c.Logger.With("part", "provisioner"), s.Telemetry.Registry
	provisioner, err := provision.New(config)
	if err != nil {
		return err
	}
	s.Telemetry.Ready("provisioner", provisioner.Ready)
	l.run("provisioner", provisioner.Keep)
	return nil
}
