package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Mark is which history a simulation tells. Kept in a file it lets another start go on: the same seed on another day
// tells another history under the same names of records.
type Mark struct {
	Seed      uint64    `json:"seed"`
	People    int       `json:"people"`
	Now       time.Time `json:"now"`       // end of the history
	Published bool      `json:"published"` // the stream has confirmed all of it

	file string // empty: it is not kept
}

// ReadMark is the mark of the simulation that the settings name, ending at now if there was none yet; it is kept if
// they name a file for it. An error is of that file, or says that it is of another simulation: stop.
func (s Settings) ReadMark(now time.Time) (Mark, error) {
	m := Mark{Seed: s.Seed, People: s.People, Now: now.UTC().Truncate(time.Second), file: s.MarkFile}
	if m.file == "" {
		return m, nil
	}
	data, err := os.ReadFile(m.file)
	if errors.Is(err, fs.ErrNotExist) {
		return m, m.write()
	}
	if err != nil {
		return m, err
	}
	kept := Mark{file: m.file}
	if err := json.Unmarshal(data, &kept); err != nil {
		return m, fmt.Errorf("%s: %w", m.file, err)
	}
	if kept.Seed != m.Seed || kept.People != m.People {
		return m, fmt.Errorf("%s is of %d people with seed %d: remove what was stored of them, or set GAPWATCH_SIMULATOR_PEOPLE and GAPWATCH_SIMULATOR_SEED to them",
			m.file, kept.People, kept.Seed)
	}
	return kept, nil
}

// SetPublished keeps that the stream has all of the history.
func (m *Mark) SetPublished() error {
	m.Published = true
	return m.write()
}

func (m *Mark) write() error {
	if m.file == "" {
		return nil
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	// Whole or not at all, however this ends.
	if err := os.WriteFile(m.file+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(m.file+".new", m.file)
}
