package collect_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/stream"
)

// Whatever the step after which a collector is cut off, its successor ends with every event once, every dead letter
// once and every message handled.
func TestCutOffAfterEveryStep(t *testing.T) {
	for _, step := range []collect.Step{collect.Fetched, collect.Inserted, collect.DeadLettered, collect.Handled, collect.Removed, collect.Acknowledged} {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel() // they mostly wait for JetStream to deliver again
			r := newRig(t, stream.Options{})
			r.publish(r.samples(0, 500)...)
			invalid := r.sample(500)
			invalid.LSOA = "nowhere"
			r.publish(invalid)
			numbered := r.sample(501)
			numbered.Record = "9434765919"
			r.publish(numbered)
			r.publish(r.samples(502, 1000)...)

			// 600 messages: the bad ones are in the first batch, and there is a second one.
			cut := func(c *collect.Config) {
				c.Batch, c.MaxAge, c.Checkpoint, c.Owners = 600, 20*time.Second, cutOffAt(step, 1), 1
			}
			if err := r.collect(cut).wait(); err == nil || !strings.Contains(err.Error(), "the power went") {
				t.Fatalf("the collector ended with %v", err)
			}
			if step == collect.Inserted {
				r.check("rows after the cut", r.stored(), 598)
				r.check("handled after the cut", r.handled("stored"), 0)
			}
			if step == collect.DeadLettered {
				r.check("dead letters after the cut", r.info(stream.DeadLetters).State.Msgs, 2)
			}
			// Other borders: what comes again comes in other batches.
			run := r.collect(func(c *collect.Config) { c.Batch = 77 })
			r.settled()
			r.check("rows", r.stored(), 998)
			r.check("handled as stored", r.handled("stored"), 998)
			r.check("handled as dead letters", r.handled("dead letter"), 2)
			r.check("dead letters", uint64(len(r.letters())), 2)
			r.check("messages left in the stream", r.info(stream.Events).State.Msgs, 999)
			if again := run.metric("gapwatch_redeliveries_total"); (again > 0) == (step == collect.Acknowledged) {
				t.Errorf("%v redeliveries", again)
			}
			eventually(t, func() string {
				if got := run.metric("gapwatch_unaccounted_messages"); got != 0 {
					return fmt.Sprintf("%v messages are unaccounted for", got)
				}
				return ""
			})
		})
	}
}

func TestRedeliveryWithOtherBatchBorders(t *testing.T) {
	r := newRig(t, stream.Options{})
	r.publish(r.samples(0, 3000)...)
	for i, batch := range []int{7, 250, 999} {
		if err := r.collect(func(c *collect.Config) { c.Batch, c.Checkpoint = batch, cutOffAt(collect.Handled, 2) }).wait(); err == nil {
			t.Fatalf("collector %d was not cut off", i)
		}
	}
	r.collect(func(c *collect.Config) { c.Batch = 401 })
	r.settled()
	r.check("rows", r.stored(), 3000)
	r.check("handled", r.handled("stored"), 3000)
}

func TestPublishedAgainAfterTheDuplicateWindow(t *testing.T) {
	r := newRig(t, stream.Options{Duplicates: 100 * time.Millisecond})
	e := r.sample(1)
	first := r.send(event.Subject(&e), event.MsgID(&e), event.Encode(&e))
	eventually(t, func() string {
		if r.send(event.Subject(&e), event.MsgID(&e), event.Encode(&e)) == first {
			return "the stream still knows the id"
		}
		return ""
	})
	r.collect(nil)
	r.settled()
	r.check("messages", r.info(stream.Events).State.Msgs, 2)
	r.check("rows", r.stored(), 1)
	r.check("handled", r.handled("stored"), 2)
	// The first arrival is the one that is kept: what was known at a sequence does not change.
	r.check("sequence kept", r.count("SELECT max(sequence) FROM prevention.events FINAL WHERE source = ?", e.Source), 1)
}

func TestTwoCollectorsShareTheStream(t *testing.T) {
	r := newRig(t, stream.Options{})
	two := func(c *collect.Config) { c.Collectors, c.Batch = 2, 300 }
	a, b := r.collect(two), r.collect(two)
	r.publish(r.samples(0, 20000)...)
	r.settled()
	r.check("rows", r.stored(), 20000)
	r.check("handled", r.handled("stored"), 20000)
	na, nb := a.metric("gapwatch_events_total"), b.metric("gapwatch_events_total")
	if na == 0 || nb == 0 || na+nb < 20000 {
		t.Errorf("one handled %v messages, the other %v", na, nb)
	}
	if err := a.finish(); err != nil {
		t.Error(err)
	}
	r.publish(r.samples(20000, 21000)...)
	r.settled()
	r.check("rows", r.stored(), 21000)
	consumer, err := r.js.Consumer(t.Context(), stream.Events, stream.Collector)
	if err != nil {
		t.Fatal(err)
	}
	if got := consumer.CachedInfo().Config; got.MaxAckPending != (3*300+16)*2 || got.MaxDeliver != -1 || got.AckPolicy != jetstream.AckExplicitPolicy || got.AckWait != 3*time.Second {
		t.Errorf("consumer %+v", got)
	}
}

// A dead letter stays one, although the programme file was put right before its message was acknowledged, or before everything
// is delivered again after a restore: it may have been counted past, or discarded.
func TestADeadLetterIsNotStoredLater(t *testing.T) {
	r := newRig(t, stream.Options{})
	r.publish(r.samples(0, 3)...)
	var others []*programme.Programme
	for _, p := range r.programmes.Programmes {
		if p.ID != "flu-65" {
			others = append(others, p)
		}
	}
	wrong := func(c *collect.Config) {
		c.Programmes, c.Checkpoint, c.Owners = programme.NewSet(r.programmes.Edition, others...), cutOffAt(collect.Handled, 1), 1
	}
	if err := r.collect(wrong).wait(); err == nil {
		t.Fatal("it was not cut off")
	}
	dead := r.handled("dead letter")
	if dead == 0 {
		t.Fatal("there is no dead letter")
	}
	r.publish(r.samples(3, 6)...)
	check := func() {
		t.Helper()
		run := r.collect(nil)
		r.settled()
		r.check("rows", r.stored(), 6-dead)
		r.check("handled as dead letters", r.handled("dead letter"), dead)
		r.check("dead letters", uint64(len(r.letters())), dead)
		run.accounted(0, 0, 0)
		if err := run.finish(); err != nil {
			t.Error(err)
		}
	}
	check()
	if err := r.js.DeleteConsumer(t.Context(), stream.Events, stream.Collector); err != nil {
		t.Fatal(err)
	}
	check()
}

// A NATS that was restored gives the sequence of a dead letter to another message. That one is not taken for it.
func TestASequenceOfADeadLetterThatIsGivenAgain(t *testing.T) {
	r := newRig(t, stream.Options{})
	r.exec(fmt.Sprintf("INSERT INTO prevention.handled (stream, sequence, outcome, handled_at) VALUES (%d, 1, 'dead letter', now64(3) - 1)", r.created()))
	r.publish(r.sample(0))
	r.collect(nil)
	r.settled()
	r.check("rows", r.stored(), 1)
}
