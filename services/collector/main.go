// Command collector moves events from JetStream to ClickHouse. It is set up by GAPWATCH_ variables: see
// services/internal/settings, whose names it shares with the other services.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/telemetry"
)

type config struct {
	settings.Service
	collect.Settings
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "collector:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var c config
	if err := settings.Load(&c); err != nil {
		return err
	}
	logger, err := c.Logger(os.Stderr)
	if err != nil {
		return err
	}
	tel := telemetry.New()
	collector, closeAll, err := collect.Connect(c.Settings, tel, logger)
	if err != nil {
		return err
	}
	defer closeAll()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return tel.Serve(ctx, c.MetricsListen) })
	group.Go(func() error { return collector.Run(ctx) })
	return group.Wait()
}
