package stream_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

// Each of several callers hears of its own messages and of nobody else's, across a restart of the server.
func TestAsyncTellsEachCallerOfItsOwn(t *testing.T) {
	server := streamtest.New(t)
	nc, js := server.Ensure(stream.Options{Duplicates: time.Hour})
	a, err := stream.NewAsync(nc, stream.AsyncOptions{AckTimeout: time.Second, GiveUp: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	half := make(chan struct{}, 4)
	for caller := range 4 {
		callers.Go(func() {
			duplicates := 0
			for i := range 200 {
				if i == 100 {
					half <- struct{}{}
				}
				// The odd ones come twice.
				id := fmt.Sprint(caller, "/", i)
				sent := []stream.Sent{a.Publish(stream.Message("prevention.events.x.y", id, []byte("{}")))}
				if i%2 == 1 {
					sent = append(sent, a.Publish(stream.Message("prevention.events.x.y", id, []byte("{}"))))
				}
				for _, s := range sent {
					duplicate, err := s.Wait(within(t, 5*time.Minute))
					if err != nil {
						t.Error(err)
					}
					if duplicate {
						duplicates++
					}
				}
			}
			if duplicates < 100 { // more where a confirmation was lost with the server
				t.Errorf("caller %d: %d duplicates", caller, duplicates)
			}
		})
	}
	for range 4 {
		<-half
	}
	server.Stop()
	server.Start()
	callers.Wait()
	events, err := js.Stream(within(t, time.Minute), stream.Events)
	if err != nil {
		t.Fatal(err)
	}
	if n := events.CachedInfo().State.Msgs; n != 800 {
		t.Errorf("%d messages", n)
	}
}

// It gives up: on a server that is away after a while, on a full stream and a message that is too large at once.
func TestAsyncGivesUp(t *testing.T) {
	server := streamtest.New(t)
	nc, js := server.Ensure(stream.Options{MaxBytes: 10_000})
	const soon = 200 * time.Millisecond
	wait := func(size int, giveUp time.Duration) error {
		a, err := stream.NewAsync(nc, stream.AsyncOptions{AckTimeout: giveUp / 2, GiveUp: giveUp})
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Publish(stream.Message("prevention.events.x.y", fmt.Sprint(time.Now()), make([]byte, size))).Wait(within(t, 5*time.Minute))
		return err
	}
	if err := wait(100, time.Hour); err != nil { // what is answered is answered long before it would give up
		t.Error(err)
	}
	if err := wait(20_000, time.Hour); !errors.Is(err, stream.ErrFull) {
		t.Errorf("a full stream: %v", err)
	}
	if err := wait(5<<20, time.Hour); err == nil || !stream.Hopeless(err) {
		t.Errorf("a message that is too large: %v", err)
	}
	if err := js.DeleteStream(within(t, time.Minute), stream.Events); err != nil {
		t.Fatal(err)
	}
	if err := wait(100, soon); err == nil || errors.Is(err, stream.ErrFull) {
		t.Errorf("no stream: %v", err)
	}
	server.Stop()
	begun := time.Now()
	if err := wait(100, soon); err == nil || errors.Is(err, stream.ErrFull) {
		t.Errorf("no server: %v", err)
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it gave up after %s", took)
	}
	for _, o := range []stream.AsyncOptions{{Pending: -1}, {AckTimeout: -1}, {GiveUp: -1}} {
		if _, err := stream.NewAsync(nc, o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
