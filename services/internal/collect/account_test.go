package collect_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/stream"
)

// accounted waits until a collector's figures are these.
func (run *running) accounted(unaccounted, lost, pending float64) {
	run.t.Helper()
	eventually(run.t, func() string {
		u, l, p := run.metric("gapwatch_unaccounted_messages"), run.metric("gapwatch_lost_messages"), run.metric("gapwatch_pending_messages")
		if u != unaccounted || l != lost || p != pending {
			return fmt.Sprintf("unaccounted %v, lost %v, pending %v; want %v, %v, %v", u, l, p, unaccounted, lost, pending)
		}
		return ""
	})
}

func (r *rig) deleteMessages(sequences ...uint64) {
	r.t.Helper()
	st, err := r.js.Stream(r.t.Context(), stream.Events)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, sequence := range sequences {
		if err := st.DeleteMsg(r.t.Context(), sequence); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestMessagesDeletedUnreadAreLost(t *testing.T) {
	r := newRig(t, stream.Options{})
	r.publish(r.samples(0, 1000)...)
	r.deleteMessages(1, 2, 3, 500, 501, 700, 999, 1000) // first, in the middle and last
	run := r.collect(nil)
	run.accounted(8, 8, 0)
	r.settled()
	r.check("rows", r.stored(), 992)
	r.check("handled as lost", r.handled("lost"), 8)
	if err := run.finish(); err != nil {
		t.Fatal(err)
	}
	// A collector that starts anew finds the same.
	r.publish(r.samples(1000, 1010)...)
	again := r.collect(nil)
	again.accounted(8, 8, 0)
	r.check("handled as lost", r.handled("lost"), 8)
}

func TestPurgedAndExpiredMessagesAreLost(t *testing.T) {
	r := newRig(t, stream.Options{})
	r.publish(r.samples(0, 100)...)
	run := r.collect(nil)
	r.settled()
	if err := run.finish(); err != nil {
		t.Fatal(err)
	}
	r.publish(r.samples(100, 300)...)
	st, err := r.js.Stream(t.Context(), stream.Events)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Purge(t.Context(), jetstream.WithPurgeSequence(251)); err != nil { // read ones and 150 unread ones
		t.Fatal(err)
	}
	run = r.collect(nil)
	run.accounted(150, 150, 0)
	if err := run.finish(); err != nil {
		t.Fatal(err)
	}
	r.publish(r.samples(300, 320)...)
	short := r.info(stream.Events).Config
	short.MaxAge, short.Duplicates = 100*time.Millisecond, 100*time.Millisecond
	if _, err := r.js.UpdateStream(t.Context(), short); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if n := r.info(stream.Events).State.Msgs; n > 0 {
			return fmt.Sprintf("%d messages have not expired", n)
		}
		return ""
	})
	run = r.collect(func(c *collect.Config) { c.Streams.MaxAge, c.Streams.Duplicates = time.Hour, 100*time.Millisecond })
	run.accounted(170, 170, 0)
	r.publish(r.samples(320, 330)...)
	r.settled()
	r.check("rows", r.stored(), 100+50+10)
	r.check("handled as lost", r.handled("lost"), 170)
}

// A message that is removed while a collector holds it is not lost: the server moves its acknowledgement floor past
// it at once, and the collector stores it a moment later.
func TestMessagesDeletedInHandAreNotLost(t *testing.T) {
	r := newRig(t, stream.Options{})
	r.publish(r.samples(0, 10)...)
	fetched, goOn := make(chan struct{}, 10), make(chan struct{})
	run := r.collect(func(c *collect.Config) {
		c.LostAfter = time.Hour
		c.Checkpoint = func(step collect.Step) error {
			if step == collect.Fetched {
				fetched <- struct{}{}
				<-goOn
			}
			return nil
		}
	})
	<-fetched
	r.deleteMessages(1, 2, 5)
	eventually(t, func() string {
		consumer, err := r.js.Consumer(t.Context(), stream.Events, stream.Collector)
		if err != nil {
			return err.Error()
		}
		if floor := consumer.CachedInfo().AckFloor.Stream; floor != 2 {
			return fmt.Sprintf("the floor is at %d", floor)
		}
		return ""
	})
	run.accounted(3, 0, 7)
	// Each time it looks, the oldest unread message is older. Let it look some more times: nothing is written off.
	seen := make(map[float64]bool)
	eventually(t, func() string {
		if seen[run.metric("gapwatch_oldest_unread_ratio")] = true; len(seen) < 5 {
			return fmt.Sprintf("it looked %d times", len(seen))
		}
		return ""
	})
	r.check("written off while in hand", r.handled("lost"), 0)
	close(goOn)
	run.accounted(0, 0, 0)
	r.check("rows", r.stored(), 10)
	r.check("handled as stored", r.handled("stored"), 10)
	r.check("handled as lost", r.handled("lost"), 0)
}

func TestOldestUnreadAndPending(t *testing.T) {
	r := newRig(t, stream.Options{MaxAge: time.Hour})
	r.publish(r.samples(0, 10)...)
	goOn := make(chan struct{})
	run := r.collect(func(c *collect.Config) {
		c.Streams.MaxAge = time.Hour
		c.Checkpoint = func(collect.Step) error { <-goOn; return nil }
	})
	run.accounted(0, 0, 10)
	eventually(t, func() string {
		if ratio := run.metric("gapwatch_oldest_unread_ratio"); ratio <= 0 || ratio > 0.1 {
			return fmt.Sprintf("ratio %v", ratio)
		}
		return ""
	})
	looks := make(map[float64]bool)
	for len(looks) < 50 && !looks[0] { // whenever it is looked at
		looks[run.metric("gapwatch_oldest_unread_ratio")] = true
	}
	if looks[0] {
		t.Error("the ratio is 0 while messages are unread")
	}
	close(goOn)
	run.accounted(0, 0, 0)
	eventually(t, func() string {
		if ratio := run.metric("gapwatch_oldest_unread_ratio"); ratio != 0 {
			return fmt.Sprintf("ratio %v with nothing unread", ratio)
		}
		return ""
	})
}
