// Command bench measures Gapwatch on this machine and prints one JSON object: see services/internal/bench.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"gapwatch/services/internal/bench"
	"gapwatch/services/internal/engine"
)

func main() {
	engine.MaybeChild()
	events := flag.Int("events", 500_000, "events of the fetch, insert and pipeline measurements")
	season := flag.Int("season", 10_000_000, "events of the season that is rolled up")
	freshness := flag.Duration("freshness", time.Minute, "how long freshness is measured")
	rate := flag.Int("rate", 1000, "events a second while freshness is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, bench.Config{Events: *events, Season: *season, Freshness: *freshness, Rate: *rate}); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c bench.Config) (err error) {
	if c.Dir, err = os.MkdirTemp("", "gapwatch-bench-*"); err != nil {
		return err
	}
	defer os.RemoveAll(c.Dir) //nolint:errcheck // a temporary folder
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	result, err := bench.Run(ctx, c)
	if err != nil {
		c.Log.Error("bench ended early", "measured", result)
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}
