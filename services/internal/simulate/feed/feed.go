// Package feed publishes simulated messages to the stream of events.
package feed

import (
	"context"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/stream"
)

// Options says how fast, and who wants to know.
type Options struct {
	PerSecond float64                // messages a second; 0 means as fast as the stream takes them
	Progress  func(confirmed uint64) // called now and then, with the messages confirmed so far; may be nil
	Publisher stream.PublisherOptions
}

// Report is what the stream confirmed.
type Report struct {
	Confirmed  uint64 // messages, duplicates included
	Duplicates uint64 // of them, those whose id the stream had already and which it did not store again
}

const often = 5000 // messages between two reports of progress

// Publish publishes messages until there are no more and every one is confirmed, or until ctx ends. An error is ctx's or
// the stream's (full, or gone for good): the report then says how many were confirmed. Publishing the same messages again
// is harmless.
func Publish(ctx context.Context, nc *nats.Conn, messages iter.Seq[simulate.Message], o Options) (Report, error) {
	publisher, err := stream.NewPublisher(nc, o.Publisher)
	if err != nil {
		return Report{}, err
	}
	defer publisher.Close()
	report := func() (r Report) {
		r.Confirmed, r.Duplicates = publisher.Confirmed()
		return r
	}
	progress := func() {
		if o.Progress != nil {
			o.Progress(report().Confirmed)
		}
	}
	limit := rate.NewLimiter(rate.Inf, 0)
	if o.PerSecond > 0 {
		limit = rate.NewLimiter(rate.Limit(o.PerSecond), 1)
	}
	sent := 0
	for m := range messages {
		if err := limit.Wait(ctx); err != nil {
			return report(), err
		}
		if err := publisher.Publish(ctx, stream.Message(m.Subject, m.MsgID, m.Payload)); err != nil {
			return report(), fmt.Errorf("publish simulated events: %w", err)
		}
		if sent++; sent%often == 0 {
			progress()
		}
	}
	if err := publisher.Flush(ctx); err != nil {
		return report(), fmt.Errorf("publish simulated events: %w", err)
	}
	progress()
	return report(), nil
}
