package demo

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/standalone"
)

// Settings are what environment variables say about the demo, beside those of standalone.
type Settings struct {
	Seed   uint64  `envconfig:"GAPWATCH_SIMULATOR_SEED" default:"1"`
	People int     `envconfig:"GAPWATCH_SIMULATOR_PEOPLE" default:"1500000"`
	Live   float64 `envconfig:"GAPWATCH_SIMULATOR_LIVE" default:"50"` // events a second when history is in
}

// Command runs `demo [-once]`.
func (o Settings) Command(ctx context.Context, s standalone.Settings, args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	once := flags.Bool("once", false, "stop when history is in, compare every cell with the truth, and print one JSON object")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.Data == "" {
		s.Data = "demo-data"
	}
	if *once {
		config, err := prepare(ctx, s)
		if err != nil {
			return err
		}
		return Once(ctx, config, func() (*simulate.History, error) {
			return simulate.New(simulate.Config{Seed: o.Seed, People: o.People, Now: time.Now(), Programmes: config.Programmes})
		}, os.Stdout, os.Stderr)
	}
	config, err := prepare(ctx, s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(config.Folder, 0o750); err != nil {
		return err
	}
	logs, err := os.OpenFile(LogFile(config.Folder), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logs.Close()
	if config.Logger, err = s.Logger(logs); err != nil {
		return err
	}
	config.EngineStderr = logs
	return Show(ctx, config, Options{Seed: o.Seed, People: o.People, PerSecond: o.Live, Out: os.Stdout, Progress: os.Stderr})
}

// Replay runs `replay -series file.csv [-programme id]`.
func (o Settings) Replay(ctx context.Context, s standalone.Settings, args []string) error {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	path := flags.String("series", "", "file of a published series: programme,season,geography,day,quintile,covered,eligible")
	programme := flags.String("programme", "", "programme of it; not needed if there is only one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *path == "" {
		return fmt.Errorf("usage: make replay SERIES=file.csv [PROGRAMME=id]")
	}
	series, err := readSeries(*path, *programme)
	if err != nil {
		return err
	}
	if s.Data == "" {
		s.Data = "demo-data"
	}
	config, err := prepare(ctx, s)
	if err != nil {
		return err
	}
	return Once(ctx, config, func() (*simulate.History, error) {
		return simulate.Replay(simulate.ReplayConfig{Seed: o.Seed, Series: series, Now: time.Now()})
	}, os.Stdout, os.Stderr)
}

func readSeries(path, programme string) (*simulate.Series, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	series, err := simulate.ReadSeries(bufio.NewReader(file), programme, "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return series, nil
}

// prepare is the configuration for a run whose progress people watch: only errors are logged, unless another level than
// the usual one is asked for. Warnings tell of every dead letter, and the simulator sends thousands.
func prepare(ctx context.Context, s standalone.Settings) (standalone.Config, error) {
	if s.LogLevel == "info" {
		s.LogLevel = "error"
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)       // a tenth of the time for some memory,
		debug.SetMemoryLimit(5 << 29) // but not for all there is
	}
	config, err := s.Config(os.Stderr)
	if err != nil {
		return config, err
	}
	return config, config.FetchEngine(ctx, os.Stderr)
}
