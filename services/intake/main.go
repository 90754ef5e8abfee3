// Command intake is the door for senders: CloudEvents, FHIR and CSV over HTTP in, events in JetStream out. It is set up by
// GAPWATCH_ variables: see services/internal/settings, whose names it shares with the other services.
//
//	intake        answers until it is told to stop
//	intake token  makes a sender's token and what the senders' file has for it
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/intake"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/telemetry"
)

type config struct {
	settings.Service
	intake.Settings
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "intake:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "token":
		token, hash := intake.NewToken()
		_, err := fmt.Printf("token, for the sender:          %s\nhash, for the senders' file:    %s\n", token, hash)
		return err
	case len(args) > 0:
		return errors.New("usage: intake [token]")
	}
	var c config
	if err := settings.Load(&c); err != nil {
		return err
	}
	logger, err := c.Logger(os.Stderr)
	if err != nil {
		return err
	}
	tel := telemetry.New()
	door, closeAll, err := intake.Connect(c.Settings, tel, logger)
	if err != nil {
		return err
	}
	defer closeAll()
	return serve(ctx, c, tel, door)
}

// serve keeps health and metrics answering until the last request in hand has its answer.
func serve(ctx context.Context, c config, tel *telemetry.Telemetry, door *intake.Server) error {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return tel.Serve(watching, c.MetricsListen) })
	group.Go(func() error {
		defer stop()
		return door.Run(ctx, c.Listen)
	})
	return group.Wait()
}
