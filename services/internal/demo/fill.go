package demo

import (
	"context"
	_ "embed" // the queries
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/load"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/simulate/feed"
	"gapwatch/services/internal/standalone"
	"gapwatch/services/internal/stream"
)

// fill loads what a history refers to, publishes its messages and waits until everything is counted. Doing it again
// changes nothing.
func fill(ctx context.Context, s *standalone.System, h *simulate.History, folder string, out io.Writer) (feed.Report, error) {
	if err := loadReference(ctx, s, h, folder, out); err != nil {
		return feed.Report{}, err
	}
	report, err := publish(ctx, s, h, out)
	if err != nil {
		return report, err
	}
	begun := time.Now()
	if err := counted(ctx, s, h.Programmes()); err != nil {
		return report, err
	}
	say(out, "counted the rest (%.1f s)", time.Since(begun).Seconds())
	return report, nil
}

// loadReference takes the way of every deployment: files, checked whole, then loaded.
func loadReference(ctx context.Context, s *standalone.System, h *simulate.History, folder string, out io.Writer) error {
	begun := time.Now()
	dir := filepath.Join(folder, "reference")
	if err := h.WriteReference(dir); err != nil {
		return fmt.Errorf("write the reference files: %w", err)
	}
	plan, err := load.Check(ctx, []string{dir}, load.Options{Programmes: h.Programmes()})
	if err != nil {
		return err
	}
	if _, err := reference.Load(ctx, s.ClickHouse, plan); err != nil {
		return err
	}
	rows := 0
	for _, f := range plan.Files {
		rows += f.Rows
	}
	say(out, "loaded %d reference files of %s rows (%.1f s)", len(plan.Files), grouped(rows), time.Since(begun).Seconds())
	return os.RemoveAll(dir)
}

// publish publishes the messages while the collector takes them, and returns when it has handled all.
func publish(ctx context.Context, s *standalone.System, h *simulate.History, out io.Writer) (feed.Report, error) {
	begun := time.Now()
	total := h.Expected().Messages
	bar := newBar(out, total, "events stored")
	type outcome struct {
		report feed.Report
		err    error
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	published := make(chan outcome, 1)
	go func() {
		report, err := feed.Publish(ctx, s.NATS, h.Messages(), feed.Options{})
		published <- outcome{report, err}
	}()
	var done *outcome
	ticks := time.NewTicker(200 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case o := <-published:
			if o.err != nil {
				return o.report, o.err
			}
			done = &o
		case <-ctx.Done():
			o := <-published
			return o.report, ctx.Err()
		case <-ticks.C:
		}
		handled, open, err := collected(ctx, s)
		if err != nil {
			return feed.Report{}, err
		}
		if done != nil && open == 0 {
			bar.finish(total)
			took := time.Since(begun).Seconds()
			say(out, "published and stored %s events (%.1f s, %s/s)", grouped(total), took, grouped(int(float64(total)/took)))
			return done.report, nil
		}
		bar.set(int(handled))
	}
}

// collected is up to which sequence everything was acknowledged, and how many messages are not.
func collected(ctx context.Context, s *standalone.System) (handled, open uint64, err error) {
	consumer, err := s.JetStream.Consumer(ctx, stream.Events, stream.Collector)
	if errors.Is(err, jetstream.ErrConsumerNotFound) { // the collector has only just begun
		return 0, 1, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look up the collector's progress: %w", err)
	}
	info := consumer.CachedInfo()
	return info.AckFloor.Stream, info.NumPending + uint64(info.NumAckPending), nil
}

//go:embed published.sql
var publishedQuery string

// counted waits until the counts of all programmes have taken in everything that is in the stream by now.
func counted(ctx context.Context, s *standalone.System, set *programme.Set) error {
	events, err := s.JetStream.Stream(ctx, stream.Events)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", stream.Events, err)
	}
	last := events.CachedInfo().State.LastSeq
	ticks := time.NewTicker(200 * time.Millisecond)
	defer ticks.Stop()
	for {
		p, err := readPublished(ctx, s)
		if err != nil {
			return err
		}
		if p.programmes >= uint64(len(set.Programmes)) && p.sequence >= last {
			return nil
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// published is how far the counts of all programmes have come.
type published struct {
	programmes uint64
	sequence   uint64    // of the stream of events, everything up to it is counted
	at         time.Time // of the last publication
}

func readPublished(ctx context.Context, s *standalone.System) (p published, err error) {
	if err := s.ClickHouse.QueryRow(ctx, publishedQuery).Scan(&p.programmes, &p.sequence, &p.at); err != nil {
		return p, fmt.Errorf("read how far counts are published: %w", err)
	}
	return p, nil
}
