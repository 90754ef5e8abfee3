// Command engine serves the embedded ClickHouse engine on a loopback address.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/settings"
)

// config is read from the environment; engine.Locate reads CHDB_LIB_PATH itself.
type config struct {
	Listen string `envconfig:"GAPWATCH_ENGINE_LISTEN" default:"127.0.0.1:8123" required:"true"`
	Data   string `envconfig:"GAPWATCH_ENGINE_DATA" default:"data/clickhouse" required:"true"`
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
	var c config
	if err := settings.Load(&c); err != nil {
		return err
	}
	library, err := engine.Locate(ctx, "", engine.PrintProgress(os.Stderr))
	if err != nil {
		return err
	}
	return engine.Run(ctx, engine.Config{
		Listen:  c.Listen,
		DataDir: c.Data,
		LibPath: library,
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Ready:   func(addr string) { fmt.Printf("ready http://%s\n", addr) },
	})
}
