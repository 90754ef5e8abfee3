package demo

import (
	"context"
	_ "embed" // the queries
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/simulate/feed"
	"gapwatch/services/internal/standalone"
	"gapwatch/services/internal/stream"
)

// Result is what a checked run came to. Every message published is stored, a duplicate, a dead letter or unaccounted for.
type Result struct {
	EventsPublished int     `json:"events_published"` // confirmed by NATS, also those that it had already
	Stored          int     `json:"stored"`           // different versions of records
	Duplicates      int     `json:"duplicates"`       // of a version that is stored
	DeadLettered    int     `json:"dead_lettered"`
	Unaccounted     int     `json:"unaccounted"`    // in the stream, but never handled; or lost
	CellsCompared   int     `json:"cells_compared"` // with the truth: counts and eligible people, and for a replay days and fifths
	Mismatches      int     `json:"mismatches"`     // cells, and totals of events, that are not what they must be
	Seconds         float64 `json:"seconds"`        // from the first event to the last count; checking is not in it
	EventsPerSecond float64 `json:"events_per_second"`
}

// Good tells whether everything is as it must be.
func (r Result) Good() bool { return r.Mismatches == 0 && r.Unaccounted == 0 }

const mentioned = 20 // differences that are put into words

// checker compares what came out with what must.
type checker struct {
	s     *standalone.System
	h     *simulate.History
	r     Result
	first []string // differences in words
}

// Check compares all counts, all eligible people and what became of every message with what must come out, and fills in
// everything but the times. The texts are the first differences in words. An error says what could not be read. Of the
// system only ClickHouse and JetStream are used, so it may be one that somebody else has started.
func Check(ctx context.Context, s *standalone.System, h *simulate.History, sent feed.Report) (Result, []string, error) {
	c := &checker{s: s, h: h}
	for _, step := range []func(context.Context) error{c.cells, c.eligible, c.series} {
		if err := step(ctx); err != nil {
			return c.r, c.first, fmt.Errorf("compare with the truth: %w", err)
		}
	}
	if err := c.accounts(ctx, sent); err != nil {
		return c.r, c.first, fmt.Errorf("account for the events: %w", err)
	}
	return c.r, c.first, nil
}

func (c *checker) add(what string, found simulate.Comparison) {
	c.r.CellsCompared += found.Cells
	c.r.Mismatches += found.Mismatches
	for _, difference := range found.First {
		c.differs("%s: %s", what, difference)
	}
}

func (c *checker) differs(format string, values ...any) {
	if len(c.first) < mentioned {
		c.first = append(c.first, fmt.Sprintf(format, values...))
	}
}

// cells compares the changes of cover, every cell of every level.
func (c *checker) cells(ctx context.Context) error {
	found, err := simulate.Compare(c.h.Truth(), c.eachCell(ctx))
	c.add("counts", found)
	return err
}

func (c *checker) eachCell(ctx context.Context) iter.Seq2[simulate.Cell, error] {
	return func(yield func(simulate.Cell, error) bool) {
		for _, p := range c.h.Programmes().Programmes {
			err := rollup.ReadCells(ctx, c.s.ClickHouse, p.ID, func(cell rollup.Cell, n rollup.Counts) error {
				if local(cell.Level) {
					return nil
				}
				actual := cellOf(p.ID, cell)
				actual.Newly, actual.Lapsed, actual.MovedIn, actual.MovedOut = uint32(n.Newly), uint32(n.Lapsed), uint32(n.MovedIn), uint32(n.MovedOut)
				return proceed(yield(actual, nil))
			})
			if err != nil {
				if !errors.Is(err, errEnough) {
					yield(simulate.Cell{}, err)
				}
				return
			}
		}
	}
}

// eligible compares the denominators, every cell of every level and version.
func (c *checker) eligible(ctx context.Context) error {
	found, err := simulate.Compare(c.h.Eligible(), func(yield func(simulate.Cell, error) bool) {
		for _, p := range c.h.Programmes().Programmes {
			err := rollup.ReadEligible(ctx, c.s.ClickHouse, p.ID, func(cell rollup.Cell, people uint64) error {
				if local(cell.Level) {
					return nil
				}
				actual := cellOf(p.ID, cell)
				actual.Newly = uint32(people)
				return proceed(yield(actual, nil))
			})
			if err != nil {
				if !errors.Is(err, errEnough) {
					yield(simulate.Cell{}, err)
				}
				return
			}
		}
	})
	c.add("eligible people (the first number)", found)
	return err
}

// local levels are not in the simulator's truth: they divide the same people by another line.
func local(level rollup.Level) bool {
	return level == rollup.PlaceFifth || level == rollup.SystemFifth
}

func cellOf(programme string, c rollup.Cell) simulate.Cell {
	return simulate.Cell{Programme: programme, Season: c.Season, Level: string(c.Level), Place: c.Place, System: c.System,
		Code: c.Code, Quintile: c.Quintile, Day: c.Day}
}

// errEnough ends a reading whose reader wants no more.
var errEnough = errors.New("enough")

func proceed(more bool) error {
	if !more {
		return errEnough
	}
	return nil
}

//go:embed stored.sql
var storedQuery string

//go:embed handled.sql
var handledQuery string

// accounts follows every message published to where it ended.
func (c *checker) accounts(ctx context.Context, sent feed.Report) error {
	events, err := c.s.JetStream.Stream(ctx, stream.Events)
	if err != nil {
		return err
	}
	info := events.CachedInfo()
	var handledStored, handledDead uint64
	if err := c.s.ClickHouse.QueryRow(ctx, handledQuery, uint64(info.Created.UnixNano())).Scan(&handledStored, &handledDead); err != nil {
		return err
	}
	var stored uint64
	if err := c.s.ClickHouse.QueryRow(ctx, storedQuery).Scan(&stored); err != nil {
		return err
	}
	dead, err := c.deadLetters(ctx)
	if err != nil {
		return err
	}
	c.r.EventsPublished, c.r.Stored = int(sent.Confirmed), int(stored)
	c.r.Duplicates = int(sent.Duplicates) + int(handledStored) - c.r.Stored
	c.r.Unaccounted = int(info.State.LastSeq) - int(handledStored) - int(handledDead)
	for _, n := range dead {
		c.r.DeadLettered += int(n)
	}

	want := c.h.Expected()
	c.total("events published", c.r.EventsPublished, want.Messages)
	c.total("events that NATS took or had already", int(info.State.LastSeq+sent.Duplicates), want.Messages)
	c.total("versions of records stored", c.r.Stored, want.Stored)
	c.total("duplicates", c.r.Duplicates, want.Repeats+want.Resends)
	c.total("messages handled as dead letters", int(handledDead), want.Dead())
	wantDead := map[string]int{}
	for reason, n := range want.DeadLetters {
		wantDead[stream.DeadLetterPrefix+stream.Direct+"."+strings.ReplaceAll(strings.ToLower(string(reason)), " ", "-")] += n
	}
	for subject := range dead {
		wantDead[subject] += 0
	}
	for _, subject := range slices.Sorted(maps.Keys(wantDead)) {
		c.total("dead letters on "+subject, int(dead[subject]), wantDead[subject])
	}
	if c.r.Unaccounted != 0 {
		c.differs("%d messages of the stream were not handled, or were lost", c.r.Unaccounted)
	}
	return nil
}

// total compares a number of events, which counts as one mismatch if it is wrong.
func (c *checker) total(what string, got, want int) {
	if got != want {
		c.r.Mismatches++
		c.differs("%s: %d, should be %d", what, got, want)
	}
}

// deadLetters are how many there are, by subject.
func (c *checker) deadLetters(ctx context.Context) (map[string]uint64, error) {
	dead, err := c.s.JetStream.Stream(ctx, stream.DeadLetters)
	if err != nil {
		return nil, err
	}
	info, err := dead.Info(ctx, jetstream.WithSubjectFilter(stream.DeadLetterSubjects))
	if err != nil {
		return nil, err
	}
	return info.State.Subjects, nil
}
