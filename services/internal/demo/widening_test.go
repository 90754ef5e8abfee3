package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/standalone"
	"gapwatch/services/internal/stream"
)

// The demo's widening, at full size but for one programme: it is called in its place and in no other, said in a sentence
// and published. The keeper is cut off after the change was logged and everything is started again: the change is
// neither logged nor published a second time. And all that dashboards and alert rules ask is answered.
func TestTheWideningIsCalledAndPublishedOnce(t *testing.T) {
	c := config(t)
	flu, _ := c.Programmes.Get("flu-65")
	c.Programmes = programme.NewSet(c.Programmes.Edition, flu)
	c = bulk(c)
	now := time.Date(2025, 12, 10, 12, 0, 0, 0, time.UTC)
	h, err := simulate.New(simulate.Config{Seed: 1, People: 1_500_000, Now: now, Programmes: c.Programmes})
	if err != nil {
		t.Fatal(err)
	}
	filled := make(chan struct{})
	c.Gap.Now, c.Gap.Settle, c.Gap.Share = func() time.Time { return now }, -1, 1
	c.Gap.Hold = func() bool {
		select {
		case <-filled:
			return false
		default:
			return true
		}
	}
	cut := c
	logged := make(chan struct{})
	cut.Gap.Checkpoint = func(name string) error {
		if strings.HasPrefix(name, "judged") {
			select {
			case <-logged:
			default:
				close(logged)
			}
			return errors.New("cut off")
		}
		return nil
	}
	if err := standalone.Run(t.Context(), cut, func(ctx context.Context, s *standalone.System) error {
		if _, err := fill(ctx, s, h, c.Folder, &bytes.Buffer{}); err != nil {
			return err
		}
		close(filled)
		select {
		case <-logged:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}); err != nil {
		t.Fatal(err)
	}

	type change struct {
		ID   string `json:"id"`
		Data struct{ Geography, Level, Verdict, Sentence string }
	}
	var heard []change
	if err := standalone.Run(t.Context(), c, func(ctx context.Context, s *standalone.System) error {
		if err := until(ctx, func() (bool, error) { // everything is judged and published
			var judged, waiting uint64
			err := s.ClickHouse.QueryRow(ctx, `SELECT (SELECT count() FROM prevention.judged FINAL WHERE level = 'place'),
				(SELECT count() FROM prevention.verdict_log WHERE event_id NOT IN (SELECT event_id FROM prevention.verdict_published))`).Scan(&judged, &waiting)
			return judged > 0 && waiting == 0, err
		}); err != nil {
			return err
		}
		var logged, ids uint64
		if err := s.ClickHouse.QueryRow(ctx, "SELECT count(), uniqExact(event_id) FROM prevention.verdict_log").Scan(&logged, &ids); err != nil {
			return err
		}
		heard = make([]change, logged)
		if logged != ids {
			t.Errorf("%d changes were logged under %d ids", logged, ids)
		}
		gaps, err := s.JetStream.Stream(ctx, stream.Gap)
		if err != nil {
			return err
		}
		if messages := gaps.CachedInfo().State.Msgs; messages != logged {
			t.Errorf("%d changes were published, %d logged", messages, logged)
		}
		consumer, err := s.JetStream.OrderedConsumer(ctx, stream.Gap, jetstream.OrderedConsumerConfig{})
		if err != nil {
			return err
		}
		for i := range heard {
			m, err := consumer.Next(jetstream.FetchMaxWait(2 * time.Minute))
			if err != nil {
				return fmt.Errorf("message %d: %w", i, err)
			}
			if err := json.Unmarshal(m.Data(), &heard[i]); err != nil {
				return err
			}
		}
		checkGrafana(ctx, t, s, now)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var widening []string
	for _, c := range heard {
		t.Logf("%s %s: %s", c.ID, c.Data.Verdict, c.Data.Sentence)
		if c.Data.Level == "place" && c.Data.Verdict == "widening" {
			widening = append(widening, c.Data.Geography)
			if !strings.Contains(c.Data.Sentence, "in Northmoor: the gap is") {
				t.Errorf("it is said so: %q", c.Data.Sentence)
			}
		}
	}
	if len(widening) != 1 || widening[0] != "X07000001" {
		t.Errorf("widening was called in %v", widening)
	}
}

// until asks again and again until the answer is yes.
func until(ctx context.Context, ask func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
