// Command engine serves the embedded ClickHouse engine on a loopback address.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/kelseyhightower/envconfig"

	"gapwatch/services/internal/engine"
)

// environment is read with the prefix GAPWATCH_ENGINE; engine.Locate reads CHDB_LIB_PATH itself.
type environment struct {
	Listen string `envconfig:"LISTEN" default:"127.0.0.1:8123"`
	Data   string `envconfig:"DATA" default:"data/clickhouse"`
}

func main() {
	engine.MaybeChild()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var env environment
	if err := errors.Join(envconfig.CheckDisallowed("GAPWATCH_ENGINE", &env), envconfig.Process("GAPWATCH_ENGINE", &env)); err != nil {
		return err
	}
	library, err := engine.Locate(ctx, "", engine.PrintProgress(os.Stderr))
	if err != nil {
		return err
	}
	return engine.Run(ctx, engine.Config{
		Listen:  env.Listen,
		DataDir: env.Data,
		LibPath: library,
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Ready:   func(addr string) { fmt.Printf("ready http://%s\n", addr) },
	})
}
