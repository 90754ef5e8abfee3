package intake

import (
	"context"
	"errors"
	"slices"
	"time"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/stream"
)

const (
	// window is how many items of one request may wait for their confirmation.
	window = 512
	// maxListed is how many rejected items of one request are listed and kept as rejections. A few bytes make one, so without a
	// limit they would grow far beyond what was sent. For the others see maxAnswer.
	maxListed = 100_000
)

// exchange is one request on its way through the door.
type exchange struct {
	server  *Server
	request string
	sender  *Sender
	door    rejection.Door
	scope   admit.Scope
	answer  answer
	counts  counts

	reasons map[string]uint64 // rejected items by reason
	whys    map[string]uint64 // items for no programme by reason
	only    *result           // the first item

	queue  []waiting // in order; from first on they wait
	first  int
	untold bool // rejections cannot be kept now
}

// waiting is an item whose place in the answer comes when those before it are confirmed.
type waiting struct {
	result result
	sent   stream.Sent
	what   sent
}

type sent uint8

const (
	nothing sent = iota
	anEvent
	aRejection
)

// ended is why not all items of a body were taken.
type ended struct {
	body  error // what is wrong with the body
	last  bool  // the last rejection is one of the file
	fault error // NATS
}

// take admits and publishes items until there are no more. When it returns without a fault, everything that was published is
// confirmed and in the answer.
func (x *exchange) take(ctx context.Context, all items) (end ended) {
	var whole []waiting // of a transaction
	var admitted []admit.Result
	for it, err := range all {
		if err != nil {
			end.body = err
			break
		}
		w, publish := x.admit(&it)
		if it.all {
			whole, admitted = append(whole, w), append(admitted, publish)
			continue
		}
		if end.fault = x.pass(ctx, w, publish); end.fault != nil {
			return end
		}
		if it.last {
			end.last = true
			break
		}
	}
	if end.fault = x.transaction(ctx, whole, admitted); end.fault != nil {
		return end
	}
	for x.first < len(x.queue) {
		if end.fault = x.settle(ctx); end.fault != nil {
			return end
		}
	}
	return end
}

// admit decides what becomes of one item.
func (x *exchange) admit(it *item) (waiting, admit.Result) {
	w := waiting{result: result{item: item{number: it.number, typ: it.typ, inBundle: it.inBundle, response: it.response}}}
	r := &w.result
	if it.skip {
		r.outcome = skipped
		return w, admit.Result{}
	}
	problem := it.problem
	if problem == nil && it.sub.Person != (event.Pseudonym{}) && !x.sender.Pseudonyms {
		problem = &admit.Problem{Reason: admit.NotAllowed, Field: "data.person", Rule: "must be an NHS number: this sender may not send pseudonyms"}
	}
	var admitted admit.Result
	if problem == nil {
		admitted, problem = x.server.door.Admit(&it.sub, x.scope)
	}
	if problem != nil {
		r.outcome, r.problem = rejected, problem
		if it.sub.Source != "" && it.sub.Record != "" {
			r.record = x.server.door.Keys.Record(it.sub.Source, it.sub.Record)
		}
		return w, admit.Result{}
	}
	r.outcome, r.record, r.why = accepted, admitted.Record, admitted.Why
	if admitted.NoProgramme {
		r.outcome = noProgramme
	}
	return w, admitted
}

// pass publishes what is to be published and gives the item its place in the answer.
func (x *exchange) pass(ctx context.Context, w waiting, admitted admit.Result) error {
	if len(x.queue)-x.first >= window {
		if err := x.settle(ctx); err != nil {
			return err
		}
	}
	switch {
	case admitted.Publish:
		msg := stream.Message(admitted.Subject, admitted.MsgID, admitted.Payload)
		msg.Header.Set(stream.HeaderRequest, x.request)
		msg.Header.Set(stream.HeaderSender, x.sender.ID)
		w.sent, w.what = x.server.events.Publish(msg), anEvent
	case w.result.outcome == rejected && x.counts.Rejected < maxListed && !x.untold:
		problem := w.result.problem
		msg, err := rejection.Rejection{Sender: x.sender.ID, Request: x.request, Door: x.door, Item: w.result.item.number, Record: w.result.record,
			Reason: problem.Reason, Field: problem.Field, Rule: problem.Rule, At: time.Now()}.Message()
		if err != nil {
			x.server.log.Error("a rejection cannot be written", "request", x.request, "error", err)
			break
		}
		w.sent, w.what = x.server.rejections.Publish(msg), aRejection
	}
	if x.first == len(x.queue) {
		x.queue, x.first = x.queue[:0], 0
	} else if x.first >= 4*window {
		x.queue, x.first = append(x.queue[:0], x.queue[x.first:]...), 0
	}
	x.queue = append(x.queue, w)
	return nil
}

// settle waits for the oldest item and writes what became of it.
func (x *exchange) settle(ctx context.Context) error {
	w := x.queue[x.first]
	x.queue[x.first] = waiting{}
	x.first++
	switch w.what {
	case anEvent:
		again, err := w.sent.Wait(ctx)
		if err != nil {
			return err
		}
		if again && w.result.outcome == accepted {
			w.result.outcome = duplicate
		}
	case aRejection:
		// The answer names it; that the list of rejections has it too is a convenience. One that cannot be had is waited for,
		// and not each of those behind it.
		if x.untold {
			break
		}
		if _, err := w.sent.Wait(ctx); err != nil {
			x.untold = true
			x.server.log.Warn("rejections are not kept", "request", x.request, "error", err)
		}
	}
	x.counts.add(&w.result)
	if x.counts.Items == 1 {
		only := w.result
		x.only = &only
	}
	if w.result.outcome == noProgramme {
		if x.whys == nil {
			x.whys = make(map[string]uint64)
		}
		why := w.result.why
		if !slices.Contains(admit.Whys, why) {
			why = "the sender's own word" // that list is not closed
		}
		x.whys[why]++
	}
	if w.result.outcome == rejected {
		if x.reasons == nil {
			x.reasons = make(map[string]uint64)
		}
		x.reasons[w.result.problem.Reason]++
	}
	if w.result.outcome == rejected && x.counts.Rejected > maxListed {
		x.counts.NotListed++
		return nil
	}
	if !x.answer.add(&w.result) {
		x.counts.NotListed++
	}
	return nil
}

// transaction takes entries as a whole or not at all: where one is rejected, the answer names those that are.
func (x *exchange) transaction(ctx context.Context, whole []waiting, admitted []admit.Result) error {
	broken := false
	for _, w := range whole {
		broken = broken || w.result.outcome == rejected
	}
	for i, w := range whole {
		if broken && w.result.outcome != rejected {
			continue
		}
		if err := x.pass(ctx, w, admitted[i]); err != nil {
			return err
		}
	}
	return nil
}

// problem is the answer's status and words, nil where the request was taken.
func (x *exchange) problem(end ended) *Problem {
	c := &x.counts
	switch {
	case errors.Is(end.fault, stream.ErrFull):
		return problemFull
	case end.fault != nil:
		return problemAway
	case end.body != nil:
		if problem := bodyProblems[end.body]; problem != nil {
			return problem
		}
		return problemFault
	case c.Rejected > 0 && c.Rejected == c.Items && c.notAllowed == c.Rejected:
		return problemScope
	case c.Rejected > 0 && c.Rejected == c.Items:
		return problemRejected
	case end.last:
		return problemUnreadable
	}
	return nil
}

var bodyProblems = map[error]*Problem{
	errSlow: problemSlow, errCut: problemCut, errTooLarge: problemLarge, errNotGzip: problemGzip, errItemSize: problemItem,
	errNotSyntax: problemSyntax, errEmpty: problemEmpty, errBundleSize: problemBundle, errBusy: problemBusy,
}
