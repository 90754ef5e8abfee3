// Command simulator publishes a synthetic health system's events, or a published series as one event for each person.
//
//	GAPWATCH_SIMULATOR_REFERENCE=folder go run ./services/simulator
//	GAPWATCH_SIMULATOR_REFERENCE=folder go run ./services/simulator reference
//
// It writes the reference files that go with the events and the truth that must come out, where asked to, publishes the
// history, and goes on live if GAPWATCH_SIMULATOR_LIVE is more than 0. With reference it ends when the files are written.
// A GAPWATCH_SIMULATOR_MARK lets both of them, and later starts, tell one history.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/simulate/feed"
	"gapwatch/services/internal/stream"
)

type environment struct {
	settings.NATS
	settings.Programmes
	simulate.Settings
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var env environment
	err := settings.Load(&env)
	if err == nil {
		err = run(ctx, env, os.Args[1:])
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, env environment, args []string) error {
	referenceOnly := len(args) == 1 && args[0] == "reference"
	if len(args) > 0 && !referenceOnly {
		return errors.New("usage: simulator [reference]")
	}
	mark, err := env.ReadMark(time.Now())
	if err != nil {
		return err
	}
	history, err := env.Make(env.ProgrammeFile, mark.Now)
	if err != nil || referenceOnly {
		return err
	}
	nc, _, err := stream.Connect(env.Connect("simulator", nil))
	if err != nil {
		return err
	}
	defer nc.Close()
	if !mark.Published {
		var report feed.Report
		report, err = feed.Publish(ctx, nc, history.Messages(), feed.Options{PerSecond: env.Rate})
		fmt.Fprintf(os.Stderr, "%d messages confirmed, %d of them twice\n", report.Confirmed, report.Duplicates)
		if err == nil {
			err = mark.SetPublished()
		}
	}
	if err == nil && env.LiveRate > 0 {
		_, err = feed.Publish(ctx, nc, history.Live(time.Now), feed.Options{PerSecond: env.LiveRate})
	}
	return err
}
