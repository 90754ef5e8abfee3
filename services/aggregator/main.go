// Command aggregator turns stored events into published counts, works out what follows from them (measures of
// inequality, verdicts, trajectories), and publishes changes of verdict.
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

	"gapwatch/services/internal/aggregate"
	"gapwatch/services/internal/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "aggregator:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var s aggregate.Settings
	if err := settings.Load(&s); err != nil {
		return err
	}
	switch {
	case len(args) == 0:
		return aggregate.Run(ctx, s)
	case len(args) == 1 && args[0] == "audit":
		return aggregate.Audit(ctx, s)
	}
	return errors.New("usage: aggregator [audit]")
}
