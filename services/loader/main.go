// Command loader loads reference data into ClickHouse: look-ups, eligible people, published series, interventions and
// area flags.
//
//	go run ./services/loader FILE_OR_FOLDER...
//
// Every file is checked whole first. It ends with 0 if all is in force, also if it was before, and with 1 if anything is
// wrong; then nothing was loaded.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"gapwatch/services/internal/load"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/store"
)

type environment struct {
	settings.ClickHouse
	settings.Programmes
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var env environment
	err := settings.Load(&env)
	if err == nil {
		err = run(ctx, env, os.Args[1:], os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, env environment, paths []string, stdout, stderr io.Writer) error {
	if len(paths) == 0 {
		return errors.New("usage: loader FILE_OR_FOLDER (one or more)")
	}
	programmes, err := programme.Load(env.ProgrammeFile)
	if err != nil {
		return err
	}
	plan, err := load.Check(ctx, paths, load.Options{Programmes: programmes, Progress: progress(stderr)})
	if err != nil {
		return fmt.Errorf("%w\nnothing was loaded", err)
	}
	if err := store.Migrate(ctx, env.Address()); err != nil {
		return err
	}
	conn, err := store.Open(env.Address())
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing was left unwritten
	report, err := reference.Load(ctx, conn, plan)
	if err != nil {
		return err
	}
	return show(stdout, plan, report)
}
