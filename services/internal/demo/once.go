package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/simulate/feed"
	"gapwatch/services/internal/standalone"
)

// ErrWrong is wrapped by the error of a checked run in which something did not come out as it must.
var ErrWrong = errors.New("the counts are not what they must be")

// Once runs a history through everything in a store of its own, which is removed afterwards, and compares what comes out
// with what must: every cell, every eligible group, and what became of every message. It writes what it does and what
// differs to progress, and a [Result] as one line of JSON to out, which is written whether it is right or not. A ClickHouse
// that the configuration names must be empty ([ErrNotEmpty]), and what was written to it stays.
//
// The error is [ErrWrong], or says what broke off; then there is no result.
func Once(ctx context.Context, config standalone.Config, history func() (*simulate.History, error), out, progress io.Writer) error {
	folder, err := temporaryFolder(config.Folder)
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // make clean removes what is left
	begun := time.Now()
	h, err := simulated(history, progress)
	if err != nil {
		return err
	}
	config = bulk(config)
	config.Folder, config.Programmes = folder, h.Programmes()
	config.Before = empty(config)
	// Nobody else works with this system, so nobody has to know where it is.
	config.NATSListen, config.ClickHouseListen, config.MetricsListen, config.Intake.Listen = anyPort, anyPort, anyPort, ""
	var result Result
	var differences []string
	err = standalone.Run(ctx, config, func(ctx context.Context, s *standalone.System) error {
		var sent feed.Report
		if sent, err = fill(ctx, s, h, folder, progress); err != nil {
			return err
		}
		seconds := time.Since(begun).Seconds()
		if result, differences, err = Check(ctx, s, h, sent); err != nil {
			return err
		}
		result.Seconds = math.Round(10*seconds) / 10
		result.EventsPerSecond = math.Round(float64(result.EventsPublished) / seconds)
		return nil
	})
	if err != nil {
		return err
	}
	for _, difference := range differences {
		say(progress, "%s", difference)
	}
	line, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
		return err
	}
	if !result.Good() {
		return fmt.Errorf("%w: %d mismatches, %d messages unaccounted for", ErrWrong, result.Mismatches, result.Unaccounted)
	}
	return nil
}

const anyPort = "127.0.0.1:0"

// temporaryFolder is a new folder beside where the demo's would be, so that it is on the same disk.
func temporaryFolder(beside string) (string, error) {
	parent := filepath.Join(filepath.Dir(beside), ".cache")
	if err := os.MkdirAll(parent, 0o750); err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp(parent, "once-*")
	if err != nil {
		return "", err
	}
	return filepath.Abs(folder)
}

// bulk tunes a configuration to taking in years of events at once. All of it can be taken in again, so that NATS need not
// write each event to disk before the next; and what is half-way in is not counted again and again.
func bulk(c standalone.Config) standalone.Config {
	c.SyncAlways = false
	c.Streams.Duplicates = 10 * time.Second // it holds every id of that time in memory
	c.Aggregator.Patience = 10 * time.Minute
	c.Gap.Hold = func() bool { return true } // what follows from counts waits until they are all there
	// Each insert makes a part in every partition that it touches, so fewer and larger ones cost the engine less.
	c.Collector.Batch = max(c.Collector.Batch, 50_000)
	c.Collector.MaxAge = max(c.Collector.MaxAge, time.Second)
	return c
}

func simulated(history func() (*simulate.History, error), progress io.Writer) (*simulate.History, error) {
	begun := time.Now()
	h, err := history()
	if err != nil {
		return nil, err
	}
	expected := h.Expected()
	say(progress, "simulated %s events, of them %s duplicates and %s that cannot be stored (%.1f s)", grouped(expected.Messages),
		grouped(expected.Repeats+expected.Resends), grouped(expected.Dead()), time.Since(begun).Seconds())
	return h, nil
}
