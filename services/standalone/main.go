// Command standalone runs all of Gapwatch on one machine: NATS and every service in this process, the ClickHouse engine
// in a second one. See services/internal/standalone and services/internal/demo.
//
//	standalone                      runs until Ctrl-C; goes on where it was
//	standalone demo [-once]         a synthetic health system: make demo
//	standalone replay -series file  a published series: make replay
//	standalone fetch                fetches the ClickHouse engine and ends
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"gapwatch/services/internal/demo"
	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/standalone"
)

type environment struct {
	StandaloneSettings
	demo.Settings
}

// StandaloneSettings is standalone.Settings under a name that goes with demo.Settings.
type StandaloneSettings = standalone.Settings

func main() {
	engine.MaybeChild()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	var env environment
	err := settings.Load(&env)
	if err == nil {
		err = run(ctx, env, append(os.Args[1:], "")[0], os.Args[min(2, len(os.Args)):])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, env environment, command string, args []string) error {
	switch command {
	case "":
		return standalone.Serve(ctx, env.StandaloneSettings, os.Stderr)
	case "demo":
		return env.Command(ctx, env.StandaloneSettings, args)
	case "replay":
		return env.Replay(ctx, env.StandaloneSettings, args)
	case "fetch":
		return (&standalone.Config{}).FetchEngine(ctx, os.Stderr)
	}
	return errors.New("usage: standalone [demo [-once] | replay -series file.csv [-programme id] | fetch]")
}
