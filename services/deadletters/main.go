// Command deadletters lists, shows, replays and discards dead letters: messages that could not be stored.
//
//	go run ./services/deadletters list
//
// It ends with 0 if all was done; --help says what else it may end with.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"gapwatch/services/internal/deadletter"
	"gapwatch/services/internal/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var env deadletter.Settings
	err := settings.Load(&env)
	if err == nil {
		err = deadletter.Command(ctx, env, os.Args[1:], os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(deadletter.ExitCode(err)) //nolint:gocritic // there is nothing left to stop
	}
}
