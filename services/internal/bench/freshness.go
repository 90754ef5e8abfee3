package bench

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/stream"
)

// waiting are the events whose numbers are not published yet, by programme, in order of sequence.
type waiting struct {
	mu    sync.Mutex
	of    map[string][]sent
	times []time.Duration
}

type sent struct {
	sequence uint64
	at       time.Time
}

// freshness publishes events of all programmes and places at a steady rate, with collector and aggregator at work, and
// measures from just before each publish to when prevention.published says that its programme is published beyond it.
func (r *run) freshness(ctx context.Context) error {
	if err := r.calm(ctx); err != nil {
		return err
	}
	w := &waiting{of: map[string][]sent{}}
	return r.collecting(ctx, func(ctx context.Context) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return r.aggregator.Run(ctx) })
		group.Go(func() error {
			defer stop()
			if err := r.send(ctx, w); err != nil {
				return err
			}
			return poll(ctx, func() (bool, error) {
				err := r.settle(ctx, w)
				w.mu.Lock()
				defer w.mu.Unlock()
				left := 0
				for _, of := range w.of {
					left += len(of)
				}
				return left == 0, err
			})
		})
		group.Go(func() error {
			return unlessDone(ctx, poll(ctx, func() (bool, error) { return false, r.settle(ctx, w) }))
		})
		if err := group.Wait(); err != nil {
			return err
		}
		slices.Sort(w.times)
		r.result.FreshnessP50S = w.times[len(w.times)/2].Seconds()
		r.result.FreshnessP99S = w.times[len(w.times)*99/100].Seconds()
		return nil
	})
}

// calm waits until the season is on disk and its parts are merged: a store that holds a season has held it for a while.
func (r *run) calm(ctx context.Context) error {
	syscall.Sync()
	return poll(ctx, func() (bool, error) {
		var merges uint64
		err := r.conn.QueryRow(ctx, "SELECT count() FROM system.merges").Scan(&merges)
		return merges == 0, err
	})
}

// unlessDone leaves out the error of what was cut off because everything is done.
func unlessDone(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

func (r *run) send(ctx context.Context, w *waiting) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	started := time.Now()
	for n := 0; time.Since(started) < r.Freshness; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		for due := int(time.Since(started).Seconds() * float64(r.Rate)); n < due; n++ {
			prog := r.set.Programmes[n%len(r.set.Programmes)]
			person := mix(uint64(n)) % uint64(r.Season) // mostly people that the season knows
			e := eventOf(r.set, prog.ID, person, fmt.Sprintf("f-%d", n), time.Now().UTC(), dayFor(prog, uint64(n)))
			at := time.Now()
			ack, err := r.js.PublishMsgAsync(stream.Message(event.Subject(&e), event.MsgID(&e), event.Encode(&e)))
			if err != nil {
				return err
			}
			select {
			case confirmed := <-ack.Ok():
				w.mu.Lock()
				w.of[prog.ID] = append(w.of[prog.ID], sent{confirmed.Sequence, at})
				w.mu.Unlock()
			case err := <-ack.Err():
				return err
			}
		}
	}
	return nil
}

// settle takes out what is published by now.
func (r *run) settle(ctx context.Context, w *waiting) error {
	rows, err := r.conn.Query(ctx, "SELECT programme, id FROM prevention.published_now WHERE season = '' AND place = ''")
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for rows.Next() {
		var programme string
		var id big.Int
		if err := rows.Scan(&programme, &id); err != nil {
			return err
		}
		created := new(big.Int).Rsh(&id, 64).Uint64() & (1<<44 - 1)
		if created <= streamCreated/1e6 {
			continue // nothing of the live stream yet
		}
		sequence := new(big.Int).And(&id, new(big.Int).SetUint64(1<<64-1)).Uint64()
		of := w.of[programme]
		for len(of) > 0 && of[0].sequence <= sequence {
			w.times = append(w.times, now.Sub(of[0].at))
			of = of[1:]
		}
		w.of[programme] = of
	}
	return rows.Err()
}

// dayFor is a day that the programme takes events of.
func dayFor(p *programme.Programme, n uint64) calendar.Day {
	if p.Kind == programme.Seasonal {
		season, _ := p.Season(seasonID)
		return season.Start + dayOf(n)%60
	}
	return calendar.Of(time.Now()) - dayOf(n) - 1
}
