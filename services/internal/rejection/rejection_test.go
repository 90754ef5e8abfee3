package rejection_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func one(sender string, item int) rejection.Rejection {
	return rejection.Rejection{Sender: sender, Request: stream.NewRequest(), Door: rejection.CSV, Item: uint64(item), Record: strings.Repeat("0a", 16),
		Reason: "bad day", Field: "DATE_AND_TIME", Rule: "must be a time", At: time.Date(2026, 11, 22, 10, 0, item, 0, time.UTC)}
}

func publish(t *testing.T, js jetstream.JetStream, rejections ...rejection.Rejection) {
	t.Helper()
	for _, r := range rejections {
		if err := rejection.Publish(within(t), js, r); err != nil {
			t.Fatal(err)
		}
	}
}

func list(t *testing.T, js jetstream.JetStream, sender string, after uint64, limit int) rejection.Page {
	t.Helper()
	page, err := rejection.List(within(t), js, sender, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// A sender sees all of its own in order, page by page, and nothing of another one, also of one whose id begins alike.
func TestASenderListsItsOwn(t *testing.T) {
	_, js := streamtest.New(t).Ensure(stream.Options{})
	var mine []rejection.Rejection
	for i := range 25 {
		r := one("gp-north", i)
		mine = append(mine, r)
		publish(t, js, one("gp", i), r, one("gp-north-2", i))
	}
	var got []rejection.Rejection
	var after uint64
	for pages := 1; ; pages++ {
		page := list(t, js, "gp-north", after, 10)
		for _, listed := range page.Rejections {
			if listed.Place <= after {
				t.Errorf("place %d after %d", listed.Place, after)
			}
			after = listed.Place
			got = append(got, listed.Rejection)
		}
		if page.Next != after {
			t.Errorf("next %d, the last place is %d", page.Next, after)
		}
		if !page.More {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if diff := cmp.Diff(mine, got); diff != "" {
		t.Error(diff)
	}
	if page := list(t, js, "gp-north", after, 10); len(page.Rejections) != 0 || page.Rejections == nil || page.More || page.Next != after {
		t.Errorf("after the last: %+v", page)
	}
	if page := list(t, js, "nobody", 0, 1); len(page.Rejections) != 0 || page.More || page.Next != 0 {
		t.Errorf("of a sender without any: %+v", page)
	}
	publish(t, js, one("gp-north", 99))
	if page := list(t, js, "gp-north", after, 10); len(page.Rejections) != 1 || page.Rejections[0].Item != 99 {
		t.Errorf("the next one: %+v", page)
	}
}

// A stream that was deleted and made again counts from 1: a sender that asks for what comes after the old one's end must not
// wait until the new one is as long.
func TestAListOfAStreamThatWasMadeAgain(t *testing.T) {
	_, js := streamtest.New(t).Ensure(stream.Options{})
	for i := range 5 {
		publish(t, js, one("gp", i))
	}
	next := list(t, js, "gp", 0, 10).Next
	if err := js.DeleteStream(within(t), stream.Rejections); err != nil {
		t.Fatal(err)
	}
	if err := stream.Ensure(within(t), js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	if page := list(t, js, "gp", next, 10); len(page.Rejections) != 0 {
		t.Errorf("%+v", page)
	}
	publish(t, js, one("gp", 7))
	if page := list(t, js, "gp", next, 10); len(page.Rejections) != 1 || page.Rejections[0].Item != 7 || page.Next != 1 {
		t.Errorf("%+v", page)
	}
}

func TestWhatIsAskedForWrongly(t *testing.T) {
	_, js := streamtest.New(t).Ensure(stream.Options{})
	for _, c := range []struct {
		sender string
		limit  int
	}{{"*", 1}, {">", 1}, {"", 1}, {"gp.x", 1}, {"gp", 0}, {"gp", rejection.MaxLimit + 1}} {
		if _, err := rejection.List(within(t), js, c.sender, 0, c.limit); !errors.Is(err, rejection.ErrAsked) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if page := list(t, js, "gp", 1<<64-1, 1); len(page.Rejections) != 0 {
		t.Errorf("%+v", page)
	}
}

// What identifies somebody or cannot be right never gets into the stream.
func TestWhatIsNoRejection(t *testing.T) {
	for name, change := range map[string]func(*rejection.Rejection){
		"sender":        func(r *rejection.Rejection) { r.Sender = "a.b" },
		"sender NHS":    func(r *rejection.Rejection) { r.Sender = "9434765919" },
		"sender groups": func(r *rejection.Rejection) { r.Sender = "943-476-5919" },
		"request":       func(r *rejection.Rejection) { r.Request = "9434765919" },
		"record":        func(r *rejection.Rejection) { r.Record = "9434765919" },
		"door":          func(r *rejection.Rejection) { r.Door = "window" },
	} {
		r := one("gp", 1)
		change(&r)
		if msg, err := r.Message(); err == nil {
			t.Errorf("%s: %s", name, msg.Data)
		}
	}
	r := one("gp", 1)
	r.Field, r.Rule, r.Reason = "column 943 476 5919", strings.Repeat("é", 150), "9434765919"
	msg, err := r.Message()
	if err != nil {
		t.Fatal(err)
	}
	if text := string(msg.Data); strings.Contains(text, "943") || !strings.Contains(text, `"field":"other"`) || len(text) > 600 {
		t.Error(text)
	}
}

// One broken sender does not push the others' rejections out.
func TestABrokenSenderHarmsNobody(t *testing.T) {
	nc, js := streamtest.New(t).Ensure(stream.Options{})
	publish(t, js, one("gp", 1))
	p, err := stream.NewPublisher(nc, stream.PublisherOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const n = 101_000
	for i := range n {
		r := one("broken", i)
		r.Rule = fmt.Sprint("must be another than ", i)
		msg, err := r.Message()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Publish(within(t), msg); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	if page := list(t, js, "gp", 0, 10); len(page.Rejections) != 1 {
		t.Errorf("%+v", page)
	}
	page := list(t, js, "broken", 0, 1)
	if len(page.Rejections) != 1 || page.Rejections[0].Place < n-100_000 {
		t.Errorf("%+v", page)
	}
}
