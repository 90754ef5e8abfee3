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
	intakeEvents := flag.Int("intake-events", 60_000, "events of each measurement of the door's rates")
	intakeMinutes := flag.Float64("intake-minutes", 0.4, "how long the door is held under load")
	only := flag.String("only", "", "intake: measure nothing but the door")
	flag.Parse()
	if *only != "" && *only != "intake" {
		fmt.Fprintln(os.Stderr, "bench: -only knows intake and nothing else")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := bench.Config{Events: *events, Season: *season, Freshness: *freshness, Rate: *rate, IntakeEvents: *intakeEvents,
		IntakeFor: time.Duration(*intakeMinutes * float64(time.Minute)), OnlyIntake: *only == "intake"}
	if err := run(ctx, c); err != nil {
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
