package simulate

import (
	"bufio"
	"fmt"
	"os"
	"time"

	"gapwatch/services/internal/programme"
)

// Settings are a simulation as environment variables say it.
type Settings struct {
	Seed      uint64  `envconfig:"GAPWATCH_SIMULATOR_SEED" default:"1"`
	People    int     `envconfig:"GAPWATCH_SIMULATOR_PEOPLE" default:"1500000"`
	Reference string  `envconfig:"GAPWATCH_SIMULATOR_REFERENCE"` // folder for the reference files; empty = not written
	TruthFile string  `envconfig:"GAPWATCH_SIMULATOR_TRUTH"`     // CSV file for the truth; empty = not written
	MarkFile  string  `envconfig:"GAPWATCH_SIMULATOR_MARK"`      // file for the [Mark]; empty = each start simulates anew
	Series    string  `envconfig:"GAPWATCH_SIMULATOR_SERIES"`    // series file to replay instead; empty = none
	Programme string  `envconfig:"GAPWATCH_SIMULATOR_PROGRAMME"` // programme of it; empty = the only one
	Rate      float64 `envconfig:"GAPWATCH_SIMULATOR_RATE"`      // messages of history a second; 0 = as fast as it goes
	LiveRate  float64 `envconfig:"GAPWATCH_SIMULATOR_LIVE"`      // live messages a second after it; 0 = none
}

// Make simulates or replays what is known at now, and writes what is asked for. programmes is the path of the programme
// file, empty for the built-in one; a replay makes its own.
func (s Settings) Make(programmes string, now time.Time) (*History, error) {
	if s.Rate < 0 || s.LiveRate < 0 {
		return nil, fmt.Errorf("simulate: rate (%g) and live rate (%g) must not be negative", s.Rate, s.LiveRate)
	}
	h, err := s.history(programmes, now)
	if err != nil {
		return nil, err
	}
	if s.Reference != "" {
		if err := h.WriteReference(s.Reference); err != nil {
			return nil, err
		}
	}
	if s.TruthFile != "" {
		if err := writeTruth(h.Truth(), s.TruthFile); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (s Settings) history(programmes string, now time.Time) (*History, error) {
	if s.Series != "" {
		file, err := os.Open(s.Series)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		series, err := ReadSeries(bufio.NewReader(file), s.Programme, "")
		if err != nil {
			return nil, err
		}
		return Replay(ReplayConfig{Seed: s.Seed, Series: series, Now: now})
	}
	set, err := programme.Load(programmes)
	if err != nil {
		return nil, err
	}
	return New(Config{Seed: s.Seed, People: s.People, Now: now, Programmes: set})
}

func writeTruth(t *Truth, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	if err := t.WriteCSV(w); err != nil {
		_ = file.Close() // the first error counts
		return err
	}
	if err := w.Flush(); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
