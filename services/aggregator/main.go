// Command aggregator turns stored events into published counts.
//
//	go run ./services/aggregator        publishes until it is told to stop
//	go run ./services/aggregator audit  compares everything stored with a full recompute, once; ends with 1 if anything differs
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/telemetry"
)

type environment struct {
	settings.Service
	settings.ClickHouse
	settings.Programmes
	rollup.Settings
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var env environment
	err := settings.Load(&env)
	if err == nil {
		err = run(ctx, env, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, env environment, args []string) error {
	audit := len(args) == 1 && args[0] == "audit"
	if len(args) > 0 && !audit {
		return errors.New("usage: aggregator [audit]")
	}
	tel := telemetry.New()
	config, err := configure(env, tel)
	if err != nil {
		return err
	}
	defer config.ClickHouse.Close() //nolint:errcheck // nothing was left unwritten
	aggregator, err := rollup.New(config)
	if err != nil {
		return err
	}
	if err := store.MigrateWhenThere(ctx, env.ClickHouseURL, config.Log); err != nil {
		return err
	}
	if audit {
		result, err := aggregator.Audit(ctx)
		if err == nil && result.Mismatches > 0 {
			err = fmt.Errorf("%d of %d cells differ from a full recompute; they are counted afresh", result.Mismatches, result.Compared)
		}
		return err
	}
	defer tel.Ready("aggregator", config.ClickHouse.Ping)()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return tel.Serve(ctx, env.MetricsListen) })
	group.Go(func() error { return aggregator.Run(ctx) })
	return group.Wait()
}

func configure(env environment, tel *telemetry.Telemetry) (rollup.Config, error) {
	config, err := env.Settings.Config()
	if err != nil {
		return config, err
	}
	if config.Programmes, err = programme.Load(env.ProgrammeFile); err != nil {
		return config, err
	}
	if config.Log, err = env.Logger(os.Stderr); err != nil {
		return config, err
	}
	config.Registry = tel.Registry
	config.ClickHouse, err = store.Open(env.ClickHouseURL)
	return config, err
}
