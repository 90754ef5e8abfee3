// Package demo shows Gapwatch at work on a synthetic health system, and checks what it counts against what is true.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/livetable"
	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/simulate/feed"
	"gapwatch/services/internal/standalone"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

// Options says what is shown.
type Options struct {
	Seed      uint64
	People    int
	PerSecond float64 // live events
	Out       io.Writer
	Progress  io.Writer
}

// Show fills a store with the history of a synthetic health system, unless the folder has it already, then goes on with
// live events and shows uptake and gap until ctx ends, which is no error. Started again, it goes on where it was. A store
// that it did not fill must be empty ([ErrNotEmpty]).
func Show(ctx context.Context, config standalone.Config, o Options) error {
	mark, begun, err := readMark(config, o)
	if err != nil {
		return err
	}
	if !begun {
		config.Before = empty(config)
	}
	if config.IntakeTuning.Postcodes == "" && config.Intake.Listen != "" {
		if err := simulate.WritePostcodes(config.Folder); err != nil {
			return err
		}
		config.IntakeTuning.Postcodes = filepath.Join(config.Folder, simulate.PostcodeFile)
	}
	config.Gap.Settle = -1
	started := func(s *standalone.System) {
		say(o.Progress, "NATS is on %s, ClickHouse on %s, metrics and health on %s; logs are in %s", s.NATSURL, store.Redacted(s.ClickHouseURL), s.MetricsURL, LogFile(config.Folder))
		if s.IntakeURL != "" {
			say(o.Progress, "intake is on %s; README (\"For senders\") says how to send, with the token in %s", s.IntakeURL, standalone.TokenFile(config.Folder))
		}
	}
	var h *simulate.History
	history := func() (*simulate.History, error) {
		return simulate.New(simulate.Config{Seed: mark.Seed, People: mark.People, Now: mark.Now, Programmes: config.Programmes})
	}
	if mark.Complete {
		say(o.Progress, "going on with the data in %s", config.Folder)
	} else {
		err = standalone.Run(ctx, bulk(config), func(ctx context.Context, s *standalone.System) error {
			if err := mark.write(config.Folder); err != nil {
				return err
			}
			started(s)
			if h, err = simulated(history, o.Progress); err != nil {
				return err
			}
			if _, err := fill(ctx, s, h, config.Folder, o.Progress); err != nil {
				return err
			}
			mark.Complete = true
			return mark.write(config.Folder)
		})
		config.Before = nil // by now the store is the demo's
		if err == nil && ctx.Err() == nil {
			say(o.Progress, "history is in: everything starts anew for live events")
		}
	}
	if err == nil && ctx.Err() == nil { // started anew, since what suits years of events at once does not suit live ones
		err = standalone.Run(ctx, config, func(ctx context.Context, s *standalone.System) error {
			started(s)
			group, ctx := errgroup.WithContext(ctx)
			group.Go(func() error {
				if h == nil {
					if h, err = history(); err != nil {
						return err
					}
				}
				_, err := feed.Publish(ctx, s.NATS, h.Live(time.Now), feed.Options{PerSecond: o.PerSecond})
				return err
			})
			group.Go(func() error { return show(ctx, config, o, s) })
			return group.Wait()
		})
	}
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		say(o.Progress, "stopped; the data stay in %s: make demo goes on with them, make clean removes them", config.Folder)
		return nil
	}
	return err
}

// show shows the table until ctx ends.
func show(ctx context.Context, config standalone.Config, o Options, s *standalone.System) error {
	screen := livetable.Screen{Out: o.Out, Every: time.Minute}
	if file, ok := o.Out.(*os.File); ok && isTerminal(file) {
		screen.Every = time.Second
		screen.Width = func() int {
			width, _, err := term.GetSize(int(file.Fd()))
			if err != nil {
				return 0
			}
			return width
		}
	}
	return screen.Show(ctx, func(ctx context.Context) (t livetable.Table, err error) {
		now := time.Now()
		if t, err = livetable.Read(ctx, s.ClickHouse, config.Programmes, calendar.Of(now)); err != nil {
			return t, err
		}
		p, err := readPublished(ctx, s)
		if err != nil {
			return t, err
		}
		events, err := s.JetStream.Stream(ctx, stream.Events)
		if err != nil {
			return t, fmt.Errorf("look up stream %s: %w", stream.Events, err)
		}
		last := events.CachedInfo().State.LastSeq
		t.Foot = append(t.Foot,
			fmt.Sprintf("%s events came in, the last %s are not counted yet; counts are of %s, %.0f s ago", grouped(int(last)),
				grouped(int(last-min(p.sequence, last))), p.at.Local().Format("15:04:05"), max(0, now.Sub(p.at).Seconds())),
			"uptake in percent of the eligible, by fifth of deprivation; gap in percentage points on the last complete day. Ctrl-C ends it.")
		return t, nil
	})
}

// mark is what a demo's folder and its ClickHouse are filled with.
type mark struct {
	Seed       uint64    `json:"seed"`
	People     int       `json:"people"`
	Now        time.Time `json:"now"`                  // end of the history
	ClickHouse string    `json:"clickhouse,omitempty"` // address of a ClickHouse of one's own; empty for the folder's
	Complete   bool      `json:"complete"`             // all of it is stored and counted
}

func markFile(folder string) string { return filepath.Join(folder, "demo.json") }

// LogFile is where a demo's services log to: its table has the terminal.
func LogFile(folder string) string { return filepath.Join(folder, "demo.log") }

// readMark is the mark of a folder that a demo has begun to fill; else the mark of one that begins now, not yet written.
func readMark(c standalone.Config, o Options) (m mark, begun bool, err error) {
	want := mark{Seed: o.Seed, People: o.People, Now: time.Now().UTC().Truncate(time.Second)}
	if c.ClickHouseURL != "" {
		want.ClickHouse = store.Redacted(c.ClickHouseURL)
	}
	data, err := os.ReadFile(markFile(c.Folder))
	if errors.Is(err, fs.ErrNotExist) {
		return want, false, nil
	}
	if err != nil {
		return m, false, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, false, fmt.Errorf("%s: %w", markFile(c.Folder), err)
	}
	const instead = "choose another folder with GAPWATCH_DATA, or remove it (make clean)"
	if m.Seed != want.Seed || m.People != want.People {
		return m, false, fmt.Errorf("%s holds the demo of %s people with seed %d: %s", c.Folder, grouped(m.People), m.Seed, instead)
	}
	if m.ClickHouse != want.ClickHouse {
		return m, false, fmt.Errorf("%s holds the demo that is stored in ClickHouse at %q, and GAPWATCH_CLICKHOUSE_URL is %q (empty is the embedded engine): set it to that again, or %s",
			c.Folder, m.ClickHouse, want.ClickHouse, instead)
	}
	return m, true, nil
}

func (m mark) write(folder string) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	// Whole or not at all, also if this is killed: no later start reads half a mark.
	next := markFile(folder) + ".new"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, markFile(folder))
}
