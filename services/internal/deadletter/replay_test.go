package deadletter_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gapwatch/services/internal/deadletter"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/stream"
)

// covered is how many people are published as covered in flu-65.
func (d *desk) covered() uint64 {
	d.t.Helper()
	a, err := rollup.New(rollup.Config{ClickHouse: d.conn, Programmes: d.now})
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := a.Tick(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	return d.count("SELECT sum(newly) FROM prevention.uptake_now WHERE programme = 'flu-65' AND level = 'ethnicity'")
}

// stored is how many versions of records there are, each once.
func (d *desk) stored() uint64 {
	return d.count("SELECT count() FROM prevention.events FINAL")
}

// A programme that was missing is added to the file: what had been refused comes back, each event stored and counted once,
// however often and by whichever way it comes, and the feed's numbers say what happened.
func TestWhatWasRefusedComesBackOnce(t *testing.T) {
	d := newDesk(t, stream.Options{})
	const n = 5
	for i := range n {
		d.send(sample(i), "gp-north")
	}
	d.send(sample(n), "") // somebody else's, direct
	d.collect(d.before)
	d.check("letters", d.state(stream.DeadLetters).Msgs, n+1)
	if result, err := d.replay(d.before, ""); err != nil || result.Replayed != 0 || len(result.Refused) != 1 || result.Refused[0].Letters != n+1 ||
		result.Refused[0].Reason != event.UnknownProgramme || d.state(stream.DeadLetters).Msgs != n+1 || d.state(stream.Events).LastSeq != n+1 {
		t.Fatalf("before the fix: %+v, %v", result, err)
	}

	// At once: within the two minutes in which JetStream knows the id of the rejected message.
	result, err := d.replay(d.now, "")
	if err != nil || result.Replayed != n+1 || result.Twice != 0 || result.Elsewhere != 0 || len(result.Refused) != 0 || result.AskSenders != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	d.check("letters after the replay", d.state(stream.DeadLetters).Msgs, 0)
	d.collect(d.now)
	d.check("stored", d.stored(), n+1)
	d.check("covered", d.covered(), n+1)
	if result, err := d.replay(d.now, ""); err != nil || result.Replayed != 0 {
		t.Errorf("replayed again: %+v, %v", result, err)
	}
	// A sender sends one of them again, under a new id.
	again := sample(1)
	again.ID = "another"
	d.send(again, "gp-north")
	d.collect(d.now)
	d.check("stored after the sender sent one again", d.stored(), n+1)
	d.check("covered after the sender sent one again", d.covered(), n+1)

	// The feed: each message once, as what it became. The letters' hour stays as it was.
	for outcome, want := range map[string]uint64{"stored": n + 2, "dead letter": n + 1, "lost": 0} {
		d.check(outcome, d.count("SELECT count() FROM prevention.handled FINAL WHERE outcome = ?", outcome), want)
	}
	d.check("dead letters of the feed", d.count("SELECT sum(letters) FROM reporting.dead_letters"), n+1)
	d.check("of the request", d.count("SELECT count() FROM prevention.handled FINAL WHERE request = ?", request), 2*n+1)
	d.check("in the log", d.count("SELECT count() FROM prevention.dead_letter_log WHERE action = 'replayed' AND operator = 'sam@ops' AND note = 'flu-65 is back' AND programme = 'flu-65' AND reason = 'unknown programme'"), n+1)
	d.check("of the sender in the log", d.count("SELECT count() FROM prevention.dead_letter_log WHERE sender = 'gp-north' AND request = ?", request), n)
	// The log leads from the rejected message to the one that was stored.
	d.check("stored of those in the log", d.count(`SELECT count() FROM prevention.dead_letter_log AS log
		INNER JOIN (SELECT stream, sequence, outcome FROM prevention.handled FINAL) AS first ON first.stream = log.stream AND first.sequence = log.sequence
		INNER JOIN (SELECT sequence, outcome FROM prevention.handled FINAL) AS second ON second.sequence = log.again
		WHERE first.outcome = 'dead letter' AND second.outcome = 'stored'`), n+1)
}

// Cut off between publishing and removing and run again, also when JetStream does not know the id any more, everything is
// stored once.
func TestAReplayThatWasCutOff(t *testing.T) {
	for _, c := range []struct {
		window    time.Duration // in which JetStream knows an id
		after     deadletter.Step
		published uint64
	}{{time.Hour, deadletter.Published, 6}, {100 * time.Millisecond, deadletter.Published, 9}, {100 * time.Millisecond, deadletter.Logged, 9}} {
		t.Run(fmt.Sprint(c.window, " ", c.after), func(t *testing.T) {
			d := newDesk(t, stream.Options{Duplicates: c.window})
			for i := range 3 {
				d.send(sample(i), "gp-north")
			}
			d.collect(d.before)
			if _, err := d.replay(d.now, c.after); !errors.Is(err, errPower) {
				t.Fatal(err)
			}
			d.check("letters after the cut", d.state(stream.DeadLetters).Msgs, 3)
			if c.window < time.Minute {
				d.forgets()
			}
			if _, err := d.replay(d.now, ""); err != nil {
				t.Fatal(err)
			}
			d.check("letters", d.state(stream.DeadLetters).Msgs, 0)
			d.check("messages", d.state(stream.Events).Msgs-d.probes(), c.published)
			d.collect(d.now)
			d.check("stored", d.stored(), 3)
			d.check("covered", d.covered(), 3)
		})
	}
}

const probe = "prevention.events.probe.x"

// forgets waits until the stream has forgotten the ids that it knew.
func (d *desk) forgets() {
	d.t.Helper()
	publish := func() bool {
		duplicate, err := stream.Publish(d.t.Context(), d.js, stream.Message(probe, "probe", []byte("{}")))
		if err != nil {
			d.t.Fatal(err)
		}
		return !duplicate
	}
	publish()
	d.eventually(func() string {
		if publish() {
			return ""
		}
		return "the id is still known"
	})
}

func (d *desk) probes() uint64 {
	d.t.Helper()
	messages, left, err := stream.Read(d.t.Context(), d.js, stream.Events, probe, 0, 1000)
	if err != nil || left > 0 {
		d.t.Fatal(left, err)
	}
	return uint64(len(messages))
}

// Two operators replay the same letters at once.
func TestTwoOperatorsAtOnce(t *testing.T) {
	d := newDesk(t, stream.Options{})
	const n = 300 // more than are taken at a time
	for i := range n {
		d.send(sample(i), "gp-north")
	}
	d.collect(d.before)
	var group sync.WaitGroup
	results := make([]deadletter.Replayed, 2)
	for i := range results {
		box := d.open()
		group.Go(func() {
			var err error
			r := deadletter.Replay{Decoder: &event.Decoder{Programmes: d.now}, Log: d.log()}
			if results[i], err = r.Run(t.Context(), box, deadletter.Filter{}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if replayed, elsewhere := results[0].Replayed+results[1].Replayed, results[0].Elsewhere+results[1].Elsewhere; replayed-elsewhere != n {
		t.Errorf("%+v", results)
	}
	d.check("letters", d.state(stream.DeadLetters).Msgs, 0)
	d.check("messages", d.state(stream.Events).Msgs, 2*n)
	d.collect(d.now)
	d.check("stored", d.stored(), n)
	d.check("covered", d.covered(), n)
}

// The collector still has the old programmes: what is replayed fails again, becomes a letter of its own, of the same sender
// and request, and waits there; nothing is lost and nothing goes round.
func TestAReplayThatFailsAgainIsANewLetter(t *testing.T) {
	d := newDesk(t, stream.Options{})
	d.send(sample(1), "gp-north")
	d.collect(d.before)
	for round := range uint64(3) {
		if result, err := d.replay(d.now, ""); err != nil || result.Replayed != 1 || result.Twice != 0 {
			t.Fatalf("%+v, %v", result, err)
		}
		d.collect(d.before)
		state := d.state(stream.DeadLetters)
		d.check("letters", state.Msgs, 1)
		d.check("its place", state.FirstSeq, round+2)
		d.check("messages", d.state(stream.Events).Msgs, round+2)
		e, err := d.open().Get(t.Context(), state.FirstSeq)
		if err != nil || e.Sender != "gp-north" || e.Request != request || !e.Replayable() {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if page, err := rejection.List(t.Context(), d.js, "gp-north", 0, 10); err != nil || len(page.Rejections) != 4 {
		t.Errorf("the sender is told %d times: %v", len(page.Rejections), err)
	}
	if _, err := d.replay(d.now, ""); err != nil {
		t.Fatal(err)
	}
	d.collect(d.now)
	d.check("stored", d.stored(), 1)
}

// A newer version of the record came in before the old one is replayed: it stays the newest.
func TestANewerVersionStaysTheNewest(t *testing.T) {
	d := newDesk(t, stream.Options{})
	old := sample(1)
	d.send(old, "gp-north")
	d.collect(d.before)
	retraction := old
	retraction.ID, retraction.Status, retraction.Time = "retracted", event.EnteredInError, old.Time.Add(time.Minute)
	d.send(retraction, "gp-north")
	d.collect(d.now)
	if _, err := d.replay(d.now, ""); err != nil {
		t.Fatal(err)
	}
	d.collect(d.now)
	d.check("versions stored", d.stored(), 2)
	d.check("covered", d.covered(), 0)
}

// A full stream of events: nothing is removed, and it can be tried again.
func TestAReplayIntoAFullStream(t *testing.T) {
	d := newDesk(t, stream.Options{MaxBytes: 32 << 10})
	d.send(sample(1), "gp-north")
	d.collect(d.before)
	for i := range 1000 {
		_, err := stream.Publish(t.Context(), d.js, stream.Message(probe, fmt.Sprint(i), []byte(strings.Repeat("x", 500))))
		if errors.Is(err, stream.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if result, err := d.replay(d.now, ""); !errors.Is(err, deadletter.ErrRetry) || !errors.Is(err, stream.ErrFull) || result.Replayed != 0 || deadletter.ExitCode(err) != 4 {
		t.Errorf("%+v, %v", result, err)
	}
	d.check("letters", d.state(stream.DeadLetters).Msgs, 1)
}
